"""Deterministic test engines behind the real engine interfaces: no torch, exact results.

They run inside the real services (ports, health, store, errors, cancellation are all the real
thing) and replace only what makes the pictures.

Start one as a process, with the same environment variables as the real service
(``OMNIREEL_GENERATOR_LISTEN``, ``OMNIREEL_GENERATOR_STORE_URL``, ``.._ADDRESS_FILE``, ...)::

    OMNIREEL_GENERATOR_STORE_URL=file:///tmp/store \\
        python -m tests.support.engines.main generator --listen 127.0.0.1:0 --address-file a.txt

    (services: prompt_enhancer, generator, super_resolver)

or in a test, in this process: ``with running_generator(store_url) as server: server.address`` from
:mod:`tests.support.engines.servers`.

What they make
    generator       base frames ``base_frames(format, seed)``: pixel (t, y, x) is
                    ``R = (16 * seed + 8 * t) % 256, G = 4 * x % 256, B = 4 * y % 256``;
                    latents ``base_latents(format, seed)``: ``seed + 0.5 * latent_frame``
                    everywhere, shape (16, 1 + (T - 1) / 4, H / 8, W / 8).
    super_resolver  every pixel doubled (2 x 2), then R + 1: ``upscaled_frames(base)``.
                    The base is what the latents say where they are given, so the result is exact.
    prompt_enhancer ``"<the prompt>, finely detailed"`` with the same mentions; structured form too.

    All: 4 denoising steps unless the request says otherwise; at most 64; sizes 64x64, 112x64,
    64x112; 1..33 frames in steps of 4; 8 fps; version ``test-1``.

Words in the prompt that change behaviour (anywhere in the text, all engines unless named)
    slow            each step takes ``OMNIREEL_TEST_STEP_S`` seconds (default 0.05)
    hold            before step 2 the engine waits until the file ``OMNIREEL_TEST_RELEASE_FILE``
                    exists, or the call is cancelled
    hold-<service>  the same in one service only, for example ``hold-generator``
    fail-memory     step 1 raises MemoryError (the service answers RESOURCE_EXHAUSTED)
    fail-invalid    raises InvalidInput for the field ``prompt``
    fail-internal   raises RuntimeError("secret internals") (the service answers INTERNAL)
    fail-integrity  raises IntegrityError
    fail-unavailable  raises Unavailable
    crash-<service> the process ends at once, as by SIGKILL (``crash-generator``)
    unparsable      (enhancer) falls back to the user's words and says why
    Each ``fail-`` word also works for one service: ``fail-memory-super_resolver``.

``OMNIREEL_TEST_STEPS_FILE``: each executed step appends one line, ``<service> <seed> <step>``; a
test counts the steps that ran after it cancelled. ``OMNIREEL_TEST_LOAD_FILE``: loading waits until
this file exists (health stays NOT_SERVING).
"""
