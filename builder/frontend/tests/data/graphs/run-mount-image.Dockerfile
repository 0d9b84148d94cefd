# covers: mount from image
FROM localhost:5000/base:1
RUN --mount=from=localhost:5000/onbuild:1,target=/x true
