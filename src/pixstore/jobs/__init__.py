"""Conversion as a job: one plain function for a range of samples, run anywhere; what is finished is committed as it goes."""
