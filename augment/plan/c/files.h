/* Reading many files, without the GIL. */

#ifndef CAUDAL_FILES_H
#define CAUDAL_FILES_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

PyObject *read_files(PyObject *module, PyObject *given);

extern const char read_files_doc[];

#endif
