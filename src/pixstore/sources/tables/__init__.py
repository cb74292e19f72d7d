"""Arrow and Parquet files of others, and what Hugging Face says in them."""
