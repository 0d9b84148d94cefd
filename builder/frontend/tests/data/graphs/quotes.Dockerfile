# covers: quotes in flags
FROM scratch
COPY --chown="1:2" '--chmod=755' "a" /b
COPY --exclude='x y' a\ b /c
