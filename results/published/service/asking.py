"""Questions to a running service: steady clients, more than it can answer, broken files, a database that restarts."""

import collections
import http.client
import io
import itertools
import json
import random
import shlex
import subprocess
import threading
import time

from PIL import Image
from skimage import data


def post(connection, content):
    connection.request("POST", "/v1/detect", content, {"Content-Type": "image/jpeg"})
    response = connection.getresponse()
    return response.status, response.read()


def clients(port, files, count, seconds):
    """``count`` clients that ask one question after the other; seconds of each answer, and the wrong ones."""
    took, wrong, statuses, until = [], [], collections.Counter(), time.perf_counter() + seconds

    def one(offset):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        for content, content_id in itertools.islice(itertools.cycle(files), offset, None):
            if time.perf_counter() > until:
                return
            at = time.perf_counter()
            status, body = post(connection, content)
            took.append(time.perf_counter() - at)
            statuses[status] += 1
            if status == 200 and not right(body, content_id):
                wrong.append(body)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return took, time.perf_counter() - began, dict(statuses), len(wrong)


def right(body, content_id):
    said = json.loads(body)
    return (said["is_marked"], said["content_id"]) == (content_id is not None, content_id)


def overload(port, files, rate, seconds, look):
    """Questions at a fixed rate, whether answered or not: (minute of the answer, status, its seconds), the wrong ones, errors.

    Also what ``look`` gives at the beginning and after each minute.
    """
    answers, wrong, errors, threads = [], [], [], []

    def one(content, content_id):
        at = time.perf_counter()
        try:
            status, body = post(http.client.HTTPConnection("127.0.0.1", port, timeout=600), content)
        except OSError as error:
            errors.append(type(error).__name__)
            return
        now = time.perf_counter()
        answers.append((int((now - began) / 60), status, now - at))
        if status == 200 and not right(body, content_id):
            wrong.append(body)

    began, looks = time.perf_counter(), [look()]
    for number, (content, content_id) in enumerate(itertools.cycle(files)):
        if (due := began + number / rate) > began + seconds:
            break
        time.sleep(max(0.0, due - time.perf_counter()))
        if due - began >= 60 * len(looks):
            looks.append(look())
        threads = [thread for thread in threads if thread.is_alive()]
        threads.append(threading.Thread(target=one, args=(content, content_id)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    return answers, len(wrong), collections.Counter(errors), [*looks, look()]


def small():
    """Files of 64 px, in three formats."""
    image = Image.fromarray(data.astronaut()[:64, 100:164])
    made = []
    for form in ("JPEG", "PNG", "WEBP"):
        buffer = io.BytesIO()
        image.save(buffer, form)
        made.append(buffer.getvalue())
    return made


def broken(port, count, keep):
    """Files cut short, with bytes changed, or of noise."""
    draw, statuses, files = random.Random(0), collections.Counter(), small()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    for number in range(count):
        content = bytearray(draw.choice(files))
        if number % 4 == 0:
            content = content[: draw.randrange(1, len(content))]
        elif number % 4 == 1:
            for _ in range(draw.randrange(1, 60)):
                content[draw.randrange(len(content))] = draw.randrange(256)
        elif number % 4 == 2:
            at = draw.randrange(2, 700)  # headers and tables
            content[at : at + 8] = draw.randbytes(8)
        else:
            content = content[:2] + draw.randbytes(draw.randrange(1, 4000))
        statuses[post(connection, bytes(content))[0]] += 1
        if (number + 1) % 200 == 0:
            keep({"n": number + 1, "statuses": dict(statuses)})


def restart(port, files, command, seconds):
    """One trace after the other while the database restarts; which answers, and the longest wait."""
    statuses, began, longest = collections.Counter(), time.perf_counter(), 0.0
    connection, restarting = http.client.HTTPConnection("127.0.0.1", port, timeout=300), None
    marked = itertools.cycle(content for content, content_id in files if content_id is not None)
    while (now := time.perf_counter()) < began + seconds:
        if restarting is None and now > began + seconds / 4:
            restarting = subprocess.Popen(shlex.split(command))
        connection.request("POST", "/v1/trace", next(marked), {"Content-Type": "image/jpeg"})
        response = connection.getresponse()
        body = response.read()
        statuses[f"{response.status} {json.loads(body).get('answer', '')}".strip()] += 1
        longest = max(longest, time.perf_counter() - now)
    return {"statuses": dict(statuses), "longest_s": round(longest, 2), "restart_exit_status": restarting.wait()}
