/* What libtiff takes to code and decode one page in memory: the other side of codec.rs.
 * libtiff PAGE WIDTH LINES ROUNDS prints for each coding its bytes and the least
 * nanoseconds of coding and of decoding. PAGE holds packed rows, 1 is black. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <tiffio.h>

struct memory { unsigned char *bytes; toff_t size, at, room; };

static tmsize_t get(thandle_t handle, void *to, tmsize_t count)
{
    struct memory *m = handle;
    if (m->at + count > m->size)
        count = m->at < m->size ? m->size - m->at : 0;
    memcpy(to, m->bytes + m->at, count);
    m->at += count;
    return count;
}

static tmsize_t put(thandle_t handle, void *from, tmsize_t count)
{
    struct memory *m = handle;
    if (m->at + count > m->room)
        return 0;
    memcpy(m->bytes + m->at, from, count);
    m->at += count;
    if (m->at > m->size)
        m->size = m->at;
    return count;
}

static toff_t move(thandle_t handle, toff_t offset, int whence)
{
    struct memory *m = handle;
    m->at = whence == SEEK_SET ? offset : whence == SEEK_CUR ? m->at + offset : m->size + offset;
    return m->at;
}

static int close_it(thandle_t handle) { (void)handle; return 0; }
static toff_t size_of(thandle_t handle) { return ((struct memory *)handle)->size; }
static int map(thandle_t h, void **base, toff_t *size) { (void)h; (void)base; (void)size; return 0; }
static void unmap(thandle_t h, void *base, toff_t size) { (void)h; (void)base; (void)size; }

static long long now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static TIFF *open_it(struct memory *m, const char *mode)
{
    m->at = 0;
    return TIFFClientOpen("memory", mode, m, get, put, move, close_it, size_of, map, unmap);
}

static long long code(struct memory *m, unsigned char *page, int width, int lines,
                      int compression, int options, int *bytes)
{
    m->size = 0;
    TIFF *tiff = open_it(m, "w");
    TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, width);
    TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, lines);
    TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, 1);
    TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, 1);
    TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, lines);
    TIFFSetField(tiff, TIFFTAG_YRESOLUTION, 196.0);
    TIFFSetField(tiff, TIFFTAG_RESOLUTIONUNIT, RESUNIT_INCH);
    TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISWHITE);
    TIFFSetField(tiff, TIFFTAG_FILLORDER, FILLORDER_MSB2LSB);
    TIFFSetField(tiff, TIFFTAG_COMPRESSION, compression);
    if (compression == COMPRESSION_CCITTFAX3)
        TIFFSetField(tiff, TIFFTAG_GROUP3OPTIONS, options);
    tmsize_t size = (tmsize_t)((width + 7) / 8) * lines;
    long long begun = now();
    if (TIFFWriteEncodedStrip(tiff, 0, page, size) != size)
        exit(2);
    long long took = now() - begun;
    TIFFFlush(tiff);
    TIFFClose(tiff);
    tiff = open_it(m, "r");
    *bytes = TIFFRawStripSize(tiff, 0);
    TIFFClose(tiff);
    return took;
}

static long long decode(struct memory *m, unsigned char *page, unsigned char *room, tmsize_t size)
{
    TIFF *tiff = open_it(m, "r");
    memset(room, 0xaa, size);
    long long begun = now();
    tmsize_t got = TIFFReadEncodedStrip(tiff, 0, room, size);
    long long took = now() - begun;
    if (got != size || memcmp(page, room, size))
        exit(3);
    TIFFClose(tiff);
    return took;
}

int main(int count, char **arguments)
{
    static const struct { const char *name; int compression, options; } codings[] = {
        { "MH rows", COMPRESSION_CCITTRLE, 0 },
        { "MH", COMPRESSION_CCITTFAX3, 0 },
        { "MH aligned", COMPRESSION_CCITTFAX3, GROUP3OPT_FILLBITS },
        { "MR", COMPRESSION_CCITTFAX3, GROUP3OPT_2DENCODING },
        { "MR aligned", COMPRESSION_CCITTFAX3, GROUP3OPT_2DENCODING | GROUP3OPT_FILLBITS },
        { "MMR", COMPRESSION_CCITTFAX4, 0 },
    };
    if (count != 5)
        return 1;
    int width = atoi(arguments[2]), lines = atoi(arguments[3]), rounds = atoi(arguments[4]);
    tmsize_t size = (tmsize_t)((width + 7) / 8) * lines;
    unsigned char *page = malloc(size), *room = malloc(size), *copy = malloc(size);
    FILE *file = fopen(arguments[1], "rb");
    if (!file || fread(page, 1, size, file) != (size_t)size)
        return 1;
    struct memory m = { malloc(size * 16 + 65536), 0, 0, size * 16 + 65536 };
    for (unsigned i = 0; i < sizeof codings / sizeof *codings; i++) {
        long long coded = -1, decoded = -1;
        int bytes = 0;
        for (int round = 0; round < rounds; round++) {
            memcpy(copy, page, size);
            long long took = code(&m, copy, width, lines, codings[i].compression,
                                  codings[i].options, &bytes);
            coded = coded < 0 || took < coded ? took : coded;
            took = decode(&m, page, room, size);
            decoded = decoded < 0 || took < decoded ? took : decoded;
        }
        printf("%s,%d,%lld,%lld\n", codings[i].name, bytes, coded, decoded);
    }
    return 0;
}
