# `watermark serve` as a container: no root, nothing written but /tmp. See docs/service.md.
FROM python:3.12-slim AS build
# PyTorch's own index has wheels without CUDA, which are ten times smaller: --build-arg PIP_EXTRA_INDEX_URL=...
ARG PIP_EXTRA_INDEX_URL=""
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY watermark watermark
COPY attacks attacks
COPY configs configs
RUN pip install --no-cache-dir --prefix=/installed ".[serve,postgresql,c2pa]"

FROM python:3.12-slim
LABEL org.opencontainers.image.title="robust-watermark" org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin watermark && \
    install -d -o 10001 -g 10001 -m 700 /journal
COPY --from=build /installed /usr/local
USER 10001:10001
WORKDIR /tmp
ENV OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health', timeout=4)"]
ENTRYPOINT ["watermark"]
CMD ["serve", "--public", "--host", "0.0.0.0", "--keyring", "/keys"]
