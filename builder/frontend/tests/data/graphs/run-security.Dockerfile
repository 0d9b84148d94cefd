# covers: RUN --security
FROM localhost:5000/base:1
RUN --security=insecure a
RUN --security=sandbox b
