"""Shapes of programs that end while an iterator is alive: the body of each, and the exit status that it should have.

A body runs behind `PRELUDE`. It calls `last()` where the program would end if there were no iterator.
"""

from typing import NamedTuple

PRELUDE = """
import atexit, contextlib, functools, gc, itertools, os, signal, sys, tempfile, threading, time
import albumentations as A
import numpy as np
import pipeline
import slow_transforms

IMAGES, LABELS = np.zeros((64, 32, 32, 3), np.uint8), np.arange(64) % 4

def arrays(**options):
    return pipeline.image_dataset((IMAGES, LABELS), **{"image_size": None, "batch_size": 4} | options)

def numpy(**options):
    return pipeline.Loader((IMAGES, LABELS), **{"image_size": None, "batch_size": 4} | options).numpy()

def folder(bad=False):
    import cv2
    root = tempfile.mkdtemp(dir=os.environ["PROGRAM_DIR"])
    for name in "ab":
        os.mkdir(f"{root}/{name}")
        for number in range(16):
            cv2.imwrite(f"{root}/{name}/{number}.png", IMAGES[0] + number)
    if bad:
        with open(f"{root}/b/3.png", "wb") as file:
            file.write(b"no image")
    return root

def texts():
    path = tempfile.mkdtemp(dir=os.environ["PROGRAM_DIR"]) + "/texts.tsv"
    with open(path, "w") as file:
        file.write("text\\tlabel\\n" + "".join(f"a good film number {i}\\t{i % 2}\\n" for i in range(400)))
    return path

def model():
    import keras
    layers = [keras.layers.Input((None, None, 3)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(4)]
    made = keras.Sequential([layers[0], keras.layers.Rescaling(1 / 255), *layers[1:]])
    made.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return made

def last():
    print("last", flush=True)

def signal_later(*numbers, after_s=0.3, pause_s=0.05):
    def send():
        time.sleep(after_s)
        last()
        for number in numbers:
            os.kill(os.getpid(), number)
            time.sleep(pause_s)
    threading.Thread(target=send, daemon=True).start()
"""

SLOW_TRANSFORMS = """
import time
import albumentations as A
from augment.plan.witness import SIZES

class Sleep(A.ImageOnlyTransform):
    '''Sleeps for so many seconds for each image but the first ones, and those with which it is tried out.'''

    def __init__(self, seconds, first=8, p=1.0):
        super().__init__(p=p)
        self.seconds, self.first, self.seen = seconds, first, 0

    def apply(self, img, **params):
        self.seen += img.shape[:2] not in SIZES
        if self.seen > self.first:
            time.sleep(self.seconds)
        return img

    def get_transform_init_args_names(self):
        return ("seconds", "first")
"""


class Shape(NamedTuple):
    """A program: its body, and its exit status (negative: the signal that ends it)."""

    body: str
    status: int = 0


SHAPES = {
    "no iterator": Shape("data = arrays(); list(data); last()"),
    # Where the iterator is held.
    "global": Shape("it = iter(arrays()); next(it); last()"),
    "ten": Shape("its = [iter(arrays(seed=i)) for i in range(10)]; [next(it) for it in its]; last()"),
    "closure": Shape("""
def hold():
    it = iter(arrays())
    return lambda: next(it)
step = hold(); step(); last()
"""),
    "generator": Shape("""
def batches():
    for batch in arrays():
        yield batch
it = batches(); next(it); last()
"""),
    "cycle": Shape("""
class Node: pass
node = Node(); node.it = iter(arrays()); node.self = node; next(node.it); del node; last()
"""),
    "module of its own": Shape(
        "sys.modules['held'] = held = type(sys)('held'); held.it = iter(arrays()); next(held.it); last()"
    ),
    "numpy iterator": Shape("it = arrays().as_numpy_iterator(); next(it); last()"),
    "zip": Shape("import tensorflow as tf; it = iter(tf.data.Dataset.zip((arrays(), arrays()))); next(it); last()"),
    "interleave": Shape("""
import tensorflow as tf
it = iter(tf.data.Dataset.range(2).interleave(lambda _: arrays(), num_parallel_calls=2)); next(it); last()
"""),
    "never used": Shape("it = iter(arrays()); last()"),
    "dropped last": Shape("it = iter(arrays()); next(it); last(); del it"),
    "deep prefetch": Shape("it = iter(arrays(prefetch=64)); next(it); last()"),
    "single samples": Shape("it = iter(arrays(batch_size=None)); next(it); last()"),
    "skipping": Shape(
        "it = iter(pipeline.image_dataset(folder(bad=True), on_error='skip', batch_size=4)); next(it); last()"
    ),
    "resumed": Shape("it = iter(arrays().loader.dataset(epoch=1, step=2)); next(it); last()"),
    "strategy": Shape("""
import tensorflow as tf
strategy = tf.distribute.MirroredStrategy(["CPU:0"])
it = iter(strategy.experimental_distribute_dataset(arrays())); next(it); last()
"""),
    "two devices": Shape("""
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
it = iter(strategy.experimental_distribute_dataset(arrays())); next(it); last()
"""),
    "graph function": Shape("""
import tensorflow as tf
it = iter(arrays())
@tf.function
def step(it): return next(it)
step(it); last()
"""),
    # How the program ends.
    "exit status": Shape("it = iter(arrays()); next(it); last(); sys.exit(3)", 3),
    "exception": Shape("it = iter(arrays()); next(it); last(); raise ValueError('a fault')", 1),
    "exception in loop": Shape("for batch in arrays(): last(); 1 / 0", 1),
    "saved traceback": Shape("""
try:
    for batch in arrays(): 1 / 0
except ZeroDivisionError as error:
    saved = error
last()
"""),
    "at exit": Shape("""
atexit.register(last)
it = iter(arrays()); next(it)
"""),
    "closed in handler": Shape("""
it = iter(arrays()); next(it)
@atexit.register
def drop():
    global it
    last(); it = None
"""),
    "interrupt": Shape("signal_later(signal.SIGINT)\nfor batch in arrays().repeat(): pass", -2),
    "interrupt twice": Shape("signal_later(signal.SIGINT, signal.SIGINT)\nfor batch in arrays().repeat(): pass", -2),
    "interrupt many": Shape(
        "signal_later(*[signal.SIGINT] * 20, pause_s=0.02)\nfor batch in arrays().repeat(): pass", -2
    ),
    "interrupt handled": Shape(
        """
signal_later(signal.SIGINT)
try:
    for batch in arrays().repeat(): pass
except KeyboardInterrupt:
    sys.exit(7)
""",
        7,
    ),
    "interrupt held": Shape("it = iter(arrays()); next(it); signal_later(signal.SIGINT); time.sleep(60)", -2),
    "terminate": Shape("signal_later(signal.SIGTERM)\nfor batch in arrays().repeat(): pass", -15),
    "hard exit": Shape("it = iter(arrays()); next(it); last(); os._exit(5)", 5),
    "alarm in the hook": Shape(
        """
def ring(*_): raise TimeoutError("too late")
signal.signal(signal.SIGALRM, ring)
it = iter(arrays(augment=slow_transforms.Sleep(0.1, first=0)).repeat()); next(it)
last(); signal.setitimer(signal.ITIMER_REAL, 0.02); sys.exit(3)
""",
        3,
    ),
    "terminate, handled many times": Shape(
        """
signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))
it = iter(arrays(augment=slow_transforms.Sleep(0.1, first=0)).repeat()); next(it)
signal_later(*[signal.SIGTERM] * 40, pause_s=0.005); time.sleep(60)
""",
        9,
    ),
    "frozen": Shape("""
it = iter(arrays(augment=slow_transforms.Sleep(0.1, first=0)).repeat()); next(it); gc.freeze(); last()
"""),
    "handler before the dataset": Shape("""
data = []
atexit.register(lambda: list(data[0]))
data.append(arrays()); it = iter(data[0]); next(it); last()
"""),
    # Training.
    "fit": Shape("data = arrays(); model().fit(data, epochs=2, verbose=0); last()"),
    "fit, callback fails": Shape(
        """
import keras
class Fails(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None): last(); raise RuntimeError("a fault")
model().fit(arrays(), verbose=0, callbacks=[Fails()])
""",
        1,
    ),
    "fit, interrupt": Shape(
        """
import keras
class Interrupts(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if batch == 2: signal_later(signal.SIGINT, after_s=0)
model().fit(arrays().repeat(), steps_per_epoch=10**6, verbose=0, callbacks=[Interrupts()])
""",
        -2,
    ),
    "fit, bad file": Shape(
        """
data = pipeline.image_dataset(folder(bad=True), image_size=(32, 32), batch_size=4)
try:
    model().fit(data, verbose=0)
finally:
    last()
""",
        1,
    ),
    "bad file": Shape(
        """
it = iter(pipeline.image_dataset(folder(bad=True), image_size=(32, 32), batch_size=4))
try:
    list(it)
finally:
    last()
""",
        1,
    ),
    # Worker processes.
    "workers, starting": Shape(
        "it = iter(pipeline.image_dataset(folder(), image_size=(8, 8), batch_size=4, workers=2)); next(it); last()"
    ),
    "workers, started": Shape("""
data = pipeline.image_dataset(folder(), image_size=(8, 8), batch_size=4, workers=2)
data.loader.start_workers(); it = iter(data); next(it); last()
"""),
    "workers, slow": Shape("""
data = arrays(workers=2, augment=slow_transforms.Sleep(0.3, first=0))
data.loader.start_workers(); it = iter(data); next(it); last()
"""),
    "workers, stuck": Shape("""
data = arrays(workers=2, augment=slow_transforms.Sleep(600, first=8))
data.loader.start_workers(); it = iter(data); next(it); last()
"""),
    "workers, interrupt": Shape(
        """
data = arrays(workers=2)
data.loader.start_workers(); signal_later(signal.SIGINT)
for batch in data.repeat(): pass
""",
        -2,
    ),
    # Arrays, without TensorFlow.
    "numpy": Shape("it = iter(numpy()); next(it); last()"),
    "numpy, dropped": Shape("it = iter(numpy(prefetch=64)); next(it); last(); del it"),
    "numpy, texts": Shape("it = iter(pipeline.TextLoader(texts()).numpy()); next(it); last()"),
    "numpy, thread": Shape("""
def consume():
    while True:
        for _ in batches: pass
batches = numpy(); threading.Thread(target=consume, daemon=True).start(); time.sleep(0.3); last()
"""),
    "numpy, interrupt": Shape(
        """
batches = numpy(); signal_later(signal.SIGINT)
while True:
    for batch in batches: pass
""",
        -2,
    ),
    "numpy, bad file": Shape("for batch in pipeline.Loader(folder(bad=True), batch_size=4).numpy(): pass", 1),
    "numpy, stuck": Shape("it = iter(numpy(augment=slow_transforms.Sleep(600, first=6))); next(it); last()"),
    "numpy, stuck, interrupt": Shape(
        """
batches = numpy(augment=slow_transforms.Sleep(600, first=6)); signal_later(signal.SIGINT)
for batch in batches: pass
""",
        -2,
    ),
    "numpy, workers": Shape("""
data = numpy(workers=2, num_parallel_calls=6)
data.loader.start_workers(); it = iter(data); next(it); last()
"""),
    "numpy, workers, stuck": Shape("""
data = numpy(workers=1, num_parallel_calls=4, augment=slow_transforms.Sleep(600, first=16))
data.loader.start_workers(); it = iter(data); next(it); last()
"""),
    "numpy, workers, interrupt": Shape(
        """
data = numpy(workers=1, num_parallel_calls=4)
data.loader.start_workers(); signal_later(signal.SIGINT)
while True:
    for batch in data: pass
""",
        -2,
    ),
    # Transforms that take time.
    "slow": Shape("it = iter(arrays(augment=slow_transforms.Sleep(0.1, first=0))); next(it); last()"),
    "slower": Shape("it = iter(arrays(augment=slow_transforms.Sleep(0.62, first=4))); next(it); last()"),
    "stuck": Shape("it = iter(arrays(augment=slow_transforms.Sleep(600, first=6))); next(it); last()"),
    "busy": Shape("""
def spin(image, **_):
    until = time.monotonic() + 0.2
    while time.monotonic() < until: pass
    return image
it = iter(arrays(augment=A.Lambda(image=spin), image_size=(32, 32))); next(it); last()
"""),
    # Other doors.
    "texts": Shape("it = iter(pipeline.text_dataset(texts())); next(it); last()"),
    "texts, workers": Shape("""
import augment.text
it = iter(pipeline.text_dataset(texts(), augment=augment.text.EDA(), workers=2)); next(it); last()
"""),
    "Keras folder": Shape(
        "it = iter(pipeline.image_dataset_from_directory(folder(), image_size=(8, 8), batch_size=2)); next(it); last()"
    ),
    "Keras texts": Shape("""
root = tempfile.mkdtemp(dir=os.environ["PROGRAM_DIR"])
for name in "ab":
    os.mkdir(f"{root}/{name}")
    for number in range(64):
        with open(f"{root}/{name}/{number}.txt", "w") as file: file.write("a text")
it = iter(pipeline.text_dataset_from_directory(root, batch_size=2)); next(it); last()
"""),
    "Keras generator": Shape(
        "it = pipeline.ImageDataGenerator(rotation_range=20).flow(IMAGES, LABELS, batch_size=4); next(it); last()"
    ),
    "Keras generator, slow": Shape("""
def sleep(image): time.sleep(0.2); return image
it = pipeline.ImageDataGenerator(preprocessing_function=sleep).flow(IMAGES, LABELS, batch_size=4); next(it); last()
"""),
    "Keras generator's dataset": Shape("""
it = iter(pipeline.ImageDataGenerator(rotation_range=20).flow(IMAGES, LABELS, batch_size=4).dataset()); next(it); last()
"""),
    "Keras generator in fit": Shape("""
data = pipeline.ImageDataGenerator(rotation_range=20).flow(IMAGES, LABELS, batch_size=4)
model().fit(data, epochs=2, verbose=0); last()
"""),
    # Threads and forks.
    "thread": Shape("""
def consume():
    for batch in arrays(): pass
    last()
threading.Thread(target=consume).start()
"""),
    "daemon thread": Shape("""
def consume():
    for batch in arrays().repeat(): pass
threading.Thread(target=consume, daemon=True).start(); time.sleep(0.5); last()
"""),
    "daemon thread that goes on": Shape("""
def consume():
    it = iter(arrays().repeat())
    while True:
        with contextlib.suppress(Exception): next(it)
threading.Thread(target=consume, daemon=True).start(); time.sleep(0.5); last()
"""),
    "fork": Shape(
        """
it = iter(arrays()); next(it)
child = os.fork()
if not child: sys.exit(6)
status = os.waitpid(child, 0)[1]; last(); sys.exit(os.waitstatus_to_exitcode(status))
""",
        6,
    ),
    "fork in a function": Shape(
        """
def main():
    it = iter(arrays().repeat()); next(it)
    child = os.fork()
    if not child: sys.exit(6)
    status = os.waitpid(child, 0)[1]; last(); sys.exit(os.waitstatus_to_exitcode(status))
main()
""",
        6,
    ),
    "fork of workers": Shape(
        """
data = arrays(workers=2); data.loader.start_workers(); it = iter(data); next(it)
child = os.fork()
if not child: sys.exit(6)
status = os.waitpid(child, 0)[1]; next(it); last(); sys.exit(os.waitstatus_to_exitcode(status))
""",
        6,
    ),
    "multiprocessing": Shape(
        """
import multiprocessing
it = iter(arrays()); next(it)
child = multiprocessing.get_context("fork").Process(target=sys.exit, args=(6,)); child.start(); child.join()
last(); sys.exit(child.exitcode)
""",
        6,
    ),
}
