# covers: FROM --platform variant
FROM --platform=linux/arm64/v8 localhost:5000/base:1
RUN echo a
