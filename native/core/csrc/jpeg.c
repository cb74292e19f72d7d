/* The few calls of libjpeg-turbo that pixstore needs, with errors as return values.
 *
 * libjpeg reports errors by a callback that must not return. setjmp/longjmp stay inside this file: no Rust frame is jumped over.
 * Warnings are told apart by number, which the TurboJPEG API does not offer: data that ends too early is an error, while damage that
 * libjpeg steps over is not, as in Pillow. */

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jpeglib.h"
#include "jerror.h"

enum { OK = 0, CORRUPT = 1, UNSUPPORTED = 2, LIMIT = 3 };

struct errors {
  struct jpeg_error_mgr manager;
  jmp_buf back;
  int kind;
  char text[JMSG_LENGTH_MAX];
};

struct pixstore_jpeg_decoder {
  struct jpeg_decompress_struct info;
  struct errors errors;
  struct jpeg_progress_mgr progress;
  int max_scans;
};

static int kind_of(int code) {
  switch (code) {
    case JERR_ARITH_NOTIMPL:
    case JERR_BAD_J_COLORSPACE:
    case JERR_BAD_PRECISION:
    case JERR_CCIR601_NOTIMPL:
    case JERR_COMPONENT_COUNT:
    case JERR_CONVERSION_NOTIMPL:
    case JERR_EMPTY_IMAGE:
    case JERR_FRACT_SAMPLE_NOTIMPL:
    case JERR_IMAGE_TOO_BIG:
    case JERR_NOTIMPL:
    case JERR_NOT_COMPILED:
    case JERR_SOF_UNSUPPORTED:
      return UNSUPPORTED;
    case JERR_OUT_OF_MEMORY:
      return LIMIT;
    default:
      return CORRUPT;
  }
}

static void fail(j_common_ptr info, int kind) {
  struct errors *errors = (struct errors *)info->err;

  errors->kind = kind;
  errors->manager.format_message(info, errors->text);
  longjmp(errors->back, 1);
}

static void on_error(j_common_ptr info) { fail(info, kind_of(info->err->msg_code)); }

static void on_message(j_common_ptr info, int level) {
  if (level < 0 && info->err->msg_code == JWRN_JPEG_EOF) fail(info, CORRUPT);
}

static void on_output(j_common_ptr info) { (void)info; }

static void on_progress(j_common_ptr info) {
  struct pixstore_jpeg_decoder *decoder = (struct pixstore_jpeg_decoder *)info;

  if (decoder->info.input_scan_number <= decoder->max_scans) return;
  decoder->errors.kind = LIMIT;
  snprintf(decoder->errors.text, sizeof(decoder->errors.text), "more than %d scans", decoder->max_scans);
  longjmp(decoder->errors.back, 1);
}

static struct jpeg_error_mgr *set_up_errors(struct errors *errors) {
  jpeg_std_error(&errors->manager);
  errors->manager.error_exit = on_error;
  errors->manager.emit_message = on_message;
  errors->manager.output_message = on_output;
  return &errors->manager;
}

static int create(struct pixstore_jpeg_decoder *decoder) {
  decoder->info.err = set_up_errors(&decoder->errors);
  if (setjmp(decoder->errors.back)) return 0;
  jpeg_create_decompress(&decoder->info);
  return 1;
}

/* A decoder for one image: libjpeg would keep that image's tables for the next, and so decode a file that lacks its own.
 * NULL where there is no memory. */
struct pixstore_jpeg_decoder *pixstore_jpeg_decoder_new(int max_scans) {
  struct pixstore_jpeg_decoder *decoder = calloc(1, sizeof(*decoder));

  if (decoder == NULL) return NULL;
  if (!create(decoder)) {
    free(decoder);
    return NULL;
  }
  decoder->progress.progress_monitor = on_progress;
  decoder->info.progress = &decoder->progress;
  decoder->max_scans = max_scans;
  return decoder;
}

void pixstore_jpeg_decoder_free(struct pixstore_jpeg_decoder *decoder) {
  jpeg_destroy_decompress(&decoder->info);
  free(decoder);
}

const char *pixstore_jpeg_decoder_text(const struct pixstore_jpeg_decoder *decoder) { return decoder->errors.text; }

/* Read the header of an image and say how large its pixels are: grey 1 channel, colour 3, CMYK and YCCK 4 (as stored, not inverted). */
int pixstore_jpeg_begin(struct pixstore_jpeg_decoder *decoder, const unsigned char *data, size_t length, unsigned *height, unsigned *width,
                        unsigned *channels) {
  struct jpeg_decompress_struct *info = &decoder->info;

  if (setjmp(decoder->errors.back)) return decoder->errors.kind;
  jpeg_mem_src(info, data, length);
  jpeg_read_header(info, TRUE);
  if (info->data_precision != 8) ERREXIT1(info, JERR_BAD_PRECISION, info->data_precision);
  switch (info->num_components) {
    case 1: info->out_color_space = JCS_GRAYSCALE; break;
    case 3: info->out_color_space = JCS_RGB; break;
    case 4: info->out_color_space = JCS_CMYK; break;
    default: ERREXIT2(info, JERR_COMPONENT_COUNT, info->num_components, 4);
  }
  *height = info->image_height;
  *width = info->image_width;
  *channels = (unsigned)info->num_components;
  return OK;
}

/* Read up to row `end` into rows of row_bytes, of which the first is row `first` of the image. */
static void read_rows(struct jpeg_decompress_struct *info, unsigned char *out, size_t row_bytes, JDIMENSION first, JDIMENSION end) {
  while (info->output_scanline < end) {
    JSAMPROW rows[16];
    JDIMENSION wanted = end - info->output_scanline;

    if (wanted > 16) wanted = 16;
    for (JDIMENSION i = 0; i < wanted; i++) rows[i] = out + (info->output_scanline - first + (size_t)i) * row_bytes;
    jpeg_read_scanlines(info, rows, wanted);
  }
}

/* Decode the image that was begun into height rows of width * channels bytes. */
int pixstore_jpeg_pixels(struct pixstore_jpeg_decoder *decoder, unsigned char *out) {
  struct jpeg_decompress_struct *info = &decoder->info;
  size_t row_bytes = (size_t)info->image_width * (size_t)info->num_components;

  if (setjmp(decoder->errors.back)) return decoder->errors.kind;
  jpeg_start_decompress(info);
  read_rows(info, out, row_bytes, 0, info->output_height);
  jpeg_finish_decompress(info);
  return OK;
}

/* Decode rows top to top + height of the image at 1/denominator of its size, with columns left to left + width or a few more: left and
 * width tell which. What lies behind the last row is not looked at. out has capacity bytes. */
int pixstore_jpeg_region(struct pixstore_jpeg_decoder *decoder, unsigned denominator, unsigned top, unsigned height, unsigned *left,
                         unsigned *width, unsigned char *out, size_t capacity) {
  struct jpeg_decompress_struct *info = &decoder->info;
  size_t row_bytes;

  if (setjmp(decoder->errors.back)) return decoder->errors.kind;
  info->scale_num = 1;
  info->scale_denom = denominator;
  jpeg_start_decompress(info);
  if (*width < info->output_width) jpeg_crop_scanline(info, left, width);
  row_bytes = (size_t)info->output_width * (size_t)info->num_components;
  if (*width != info->output_width || row_bytes * height > capacity) ERREXIT(info, JERR_BAD_CROP_SPEC);
  if (top > 0) jpeg_skip_scanlines(info, top);
  read_rows(info, out, row_bytes, top, top + height);
  return OK;
}

struct encoding {
  struct jpeg_compress_struct info;
  struct errors errors;
};

/* Encode rows of width * channels bytes, 1 or 3 channels; colour is stored at half size (4:2:0). *out is malloc'ed, also on failure. */
int pixstore_jpeg_encode(const unsigned char *pixels, unsigned height, unsigned width, unsigned channels, int quality, unsigned char **out,
                         unsigned long *length, char *text, size_t text_size) {
  struct encoding encoding;
  struct jpeg_compress_struct *info = &encoding.info;
  size_t row_bytes = (size_t)width * channels;

  memset(&encoding, 0, sizeof(encoding));
  *out = NULL;
  *length = 0;
  info->err = set_up_errors(&encoding.errors);
  if (setjmp(encoding.errors.back)) {
    jpeg_destroy_compress(info);
    snprintf(text, text_size, "%s", encoding.errors.text);
    return encoding.errors.kind;
  }
  jpeg_create_compress(info);
  jpeg_mem_dest(info, out, length);
  info->image_width = width;
  info->image_height = height;
  info->input_components = (int)channels;
  info->in_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(info);
  jpeg_set_quality(info, quality, TRUE);
  jpeg_start_compress(info, TRUE);
  while (info->next_scanline < info->image_height) {
    JSAMPROW row = (JSAMPROW)(pixels + info->next_scanline * row_bytes);

    jpeg_write_scanlines(info, &row, 1);
  }
  jpeg_finish_compress(info);
  jpeg_destroy_compress(info);
  return OK;
}
