/* Reading many files, without the GIL: each is opened, read, checked and closed. */

#include "files.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
    const char *path;
    Py_ssize_t size;
    long long modified_ns;
    PyObject *contents; /* bytes of `size`, new; NULL if they cannot be allocated */
    int is_listed;      /* whether the file was the one that was listed, and has been read */
} File;

/* Read exactly `size` bytes; return whether there were as many. A signal may interrupt it. */
static int read_fully(int descriptor, char *to, Py_ssize_t size)
{
    while (size > 0) {
        ssize_t count = read(descriptor, to, (size_t)size);
        if (count <= 0)
            return 0;
        to += count;
        size -= count;
    }
    return 1;
}

static void read_file(File *file)
{
    int descriptor = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (descriptor < 0)
        return;
    struct stat status;
    /* The status after the read: a change before or within it shows. */
    file->is_listed = read_fully(descriptor, PyBytes_AS_STRING(file->contents), file->size) &&
                      fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) && status.st_size == file->size &&
                      status.st_mtim.tv_sec * 1000000000LL + status.st_mtim.tv_nsec == file->modified_ns;
    close(descriptor);
}

/* Read a tuple (path, size, modified_ns); `given` keeps the path alive. */
static int read_listing(PyObject *given, File *file)
{
    PyObject *path;
    if (!PyTuple_Check(given)) {
        PyErr_Format(PyExc_TypeError, "a file must be a tuple (path, size, modified_ns)");
        return 0;
    }
    if (!PyArg_ParseTuple(given, "SnL:read_files", &path, &file->size, &file->modified_ns))
        return 0;
    file->path = PyBytes_AS_STRING(path);
    if (file->size < 0 || strlen(file->path) != (size_t)PyBytes_GET_SIZE(path)) {
        PyErr_Format(PyExc_ValueError, "size must not be negative, and the path must not contain zeros");
        return 0;
    }
    file->contents = PyBytes_FromStringAndSize(NULL, file->size);
    return file->contents != NULL;
}

const char read_files_doc[] = "read_files(files)\n--\n\n"
                              "Read regular files, without the GIL.\n\n"
                              "Args:\n"
                              "    files: a list of (path, size, modified_ns) as they were listed; paths are bytes.\n\n"
                              "Returns:\n"
                              "    The bytes of each file; None if it cannot be read, or is not as it was listed.";

PyObject *read_files(PyObject *module, PyObject *given)
{
    (void)module;
    PyObject *listing = PySequence_Tuple(given); /* it keeps the paths alive */
    if (listing == NULL)
        return NULL;
    Py_ssize_t count = PyTuple_GET_SIZE(listing), ready = 0;
    File *files = PyMem_Calloc((size_t)count + 1, sizeof *files);
    if (files == NULL)
        PyErr_NoMemory();
    while (files && ready < count && read_listing(PyTuple_GET_ITEM(listing, ready), &files[ready]))
        ready++;
    PyObject *all = files && ready == count ? PyList_New(count) : NULL;
    if (all) {
        Py_BEGIN_ALLOW_THREADS
        for (Py_ssize_t at = 0; at < count; at++)
            read_file(&files[at]);
        Py_END_ALLOW_THREADS
        for (Py_ssize_t at = 0; at < count; at++)
            PyList_SET_ITEM(all, at, Py_NewRef(files[at].is_listed ? files[at].contents : Py_None));
    }
    for (Py_ssize_t at = 0; at < ready; at++)
        Py_DECREF(files[at].contents);
    PyMem_Free(files);
    Py_DECREF(listing);
    return all;
}
