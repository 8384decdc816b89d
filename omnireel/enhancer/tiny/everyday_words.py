"""Everyday words and phrases, and the words of the world that come nearest. Data only.

What has no counterpart (a dog, brown) is not in these tables.
"""

from __future__ import annotations

MEANINGS: dict[str, str] = {
    # Whom and what
    "ball": """
        football, basketball, baseball, volleyball, soccer ball, tennis ball, beach ball,
        beachball, snowball, rubber ball, spheres, orbs, sphere shaped object, bowling ball
    """,
    "cube": "square, brick, blocks, boxes, crates, cubic thing, square box",
    "cone": """
        triangle, traffic cone, pyramids, party hat shape, cone shaped thing, triangular shape
    """,
    "cylinder": """
        tin can, tin, column, pipe, drum, log, tubes, pillars, barrels, cylindrical thing,
        cylindrical object, soda can
    """,
    "ring": """
        doughnut, bagel, wheel, tire, tyre, hula hoop, loop, bracelet, hoops, donuts, doughnuts,
        circular band
    """,
    "star": "starfish, starry shape, star shape",
    "robot": """
        cyborg, automaton, mech, robotic figure, androids, bots, droids, mechanical man, cyborgs
    """,
    "cat": "tomcat, pussycat, tabby, kitties, puss, kitty cat, cats, kittycat, moggy",
    "bunny": "rabit, hares, bunnies, rabbits",
    "girl": """
        lady, ladies, female, daughter, mother, mom, mommy, mum, grandma, grandmother, granny,
        princess, queen, sister, schoolgirl, ballerina, gal, gals, women, actress, aunt, wife,
        granddaughter, niece, gramma, nana
    """,
    "boy": """
        man, men, gentleman, gentlemen, male, son, father, dad, daddy, brother, schoolboy, lads,
        fellow, dude, grandpa, grandfather, prince, king, uncle, husband, guys, chap, bloke,
        businessman, fella, grandson, bro, nephew, chaps
    """,
    "kid": "child, toddler, children, kiddo, youngster, teenager, teen, pupil, student, kids",
    "bear": "panda, cub, teddy bear, grizzlies, teddies",
    "white bear": "polar bear",
    "someone": "somebody, people, human, stranger",
    # Colours
    "red": "maroon, burgundy, reddish, vermilion, blood red, brick red, fire - engine red",
    "orange": "ginger, tangerines",
    "yellow": "gold, mustard, yellowish, sunny yellow",
    "green": "greenish, jade, grassy green, olive green",
    "blue": "indigo, bluish, sapphire, sky blue",
    "purple": "lavender, mauve, amethyst",
    "pink": "rosy, pinkish, bubblegum, hot pink",
    "white": "snow white, milky, pearly, snow - white",
    "black": "jet black, pitch black, onyx, inky",
    "": "colored, coloured, hued, tinted, tinged",
    # Where
    "meadow": """
        forest, forests, woods, woodland, jungle, pasture, countryside, farm, farmland, hill,
        hillside, hilltop, valley, prairie, backyard, yard, orchard, greenery, grassland, grassy
        field, green field, field of grass, field of flowers, flower field, grassy, trees, wheat
        field, rice field, bush, bushes, playground, savanna, park lawn, flowery field, flowery
        meadow, clearing, grassy clearing, grassy hill, fields, vineyard, mountainside
    """,
    "beach": """
        seashore, shoreline, coastline, ocean, lagoon, island, seafront, waterfront, bay,
        promenade, pier, sandy shore, moon lit beach, sand by the sea, sand by the ocean, sand
        at the beach, sand by the waves, sandy beach, lakeside, waterside, sea shore, coastal
        path
    """,
    "desert": "dune, wasteland, canyon, arid land, arid plain, sands, sand dunes, dusty plain",
    "snowfield": """
        tundra, glacier, north pole, south pole, antarctica, ski slope, snowy mountains, snowy
        mountain, snowy hills, snow covered field, snow covered ground, winter wonderland,
        frozen lake, icy field, icy plains, icy plain, frozen plain, frozen plains, deep snow,
        snowbank, snowy mountain top, snowy plain, snowy plains, snowy ground, snow covered
        hill, snow covered plain, snowy hill, icy ground, icy landscape, snowy forest, snowy
        meadow, frozen tundra, the ice
    """,
    "city": """
        road, roads, highway, streets, avenue, alley, alleyway, sidewalk, pavement, crosswalk,
        boulevard, skyscrapers, skyscraper, metropolis, cityscape, new york, manhattan, tokyo,
        london, paris, berlin, square of a town, village, traffic, town square, city square,
        times square, rooftop, bridge, busy street, busy road, neighborhood, neighbourhood,
        suburb, parking lot, main street, subway, crossroads
    """,
    "studio": """
        backdrop, plain background, plain backdrop, a white background, gray background, grey
        background, simple background, blank backdrop, neutral background, seamless background,
        white seamless background, white studio, empty stage, stage, green screen, empty
        backdrop, solid background, blank studio, seamless backdrop, photo studio, blank wall
    """,
    "room": """
        kitchen, office, living room, livingroom, hallway, hall, apartment, attic, lounge,
        classroom, library, nursery, playroom, dining room, bathroom, parlor, carpet, rug, sofa,
        couch, shelf, wooden floor, basement, fireplace, den, hotel room, floor of the living
        room, house interior, interior, lounge room, dorm
    """,
    "night": """
        moonlight, moonlit night, moonlit, starlight, starlit, night sky, darkness, nights,
        nite, starry night, night time, moon lit, starry, moonlit darkness, dead of night, dark
        of the night
    """,
    "at night": "in the moonlight, under the moon, by moonlight, after dark, under a starry sky",
    # Weather and light
    "fog": "mist, haze, smog, thick mist, foggy mist, murk",
    "foggy": "misty, hazy",
    "rain": "drizzle, rainfall, downpour, storm, thunderstorm, rainstorm, raindrops",
    "in the rain": "raining, drizzling, pouring, it is raining, it is pouring, while raining",
    "rainy": "stormy, drizzly",
    "falling snow": """
        snowfall, snowflakes, blizzard, snowstorm, snow storm, snow fall, snow falling, flakes
        coming down, flakes falling, falling flakes, snow coming down, flurries, snow flurries
    """,
    "in falling snow": "snowing, it is snowing, while snowing, as snow comes down",
    "sunset": """
        dusk, twilight, sundown, golden hour, sunrise, dawn, setting sun, sun sets, sun goes
        down, sun is setting, evening light, evening sun, evening glow, sunset glow, warm
        evening glow, sun down, sun go down, sun going down, setting of the sun, sunsets, last
        light, evening sky
    """,
    # Style
    "cartoon": """
        manga, animated, animation, toonish, cartoons, disney, pixar, cel shaded, cel - shaded,
        toony, looney tunes, kids show
    """,
    "comic": "comics, comic book, comic strip",
    "pencil drawing": "pencil sketch, pencil sketched, hand drawn, graphite, pencilled, penciled",
    "sketch": """
        sketched, doodle, charcoal, hand sketched, hand - sketched, charcoal drawing, charcoal
        sketch, crayon drawing, scribble, scribbled
    """,
    "watercolor": "watercolour, watercolors, watercolours, water color, water colour, aquarell",
    "pixel art": """
        8 - bit, 8bit, 16 - bit, 16bit, 8 bit, 16 bit, pixels, arcade game, minecraft, pixelart,
        pixel - art, pixelated game, retro videogame, retro video game, pixelated video game,
        old video game
    """,
    "neon": """
        synthwave, vaporwave, fluorescent, neon lights, neon light, neon glow, neon sign, neon
        signs, neon - lit, neon lit, glow style
    """,
    "old film": """
        old fashioned film, old time film, silent film, silent movie, old timey film, 1920 s
        film, 1920s film, very old film, grainy film, old photograph, antique film, old -
        fashioned film, antique photo, antique photograph, faded photo, faded photograph, old
        photo, photograph, brown photograph, grandpa s old film, black - and - white - ish old
        film
    """,
    "sepia": "sepia toned, sepia tone, sepia - toned",
    # How people and things move, beyond the verbs below
    "toward the camera": """
        towards me, toward me, towards us, towards the viewer, toward the viewer, towards you,
        toward you, at the camera, to me, to the viewer, at us, towards the camera
    """,
    "toward": "towards",
    "away into the distance": """
        off into the distance, far away, to the horizon, further and further away, further away,
        farther away, away and away
    """,
    "to the right": "rightward, rightwards, off to the right",
    "to the left": "leftward, leftwards, off to the left",
    "in a circle": """
        round and round, in a ring, in loops, in a loop, in a big loop, in a circular path, in
        loop, in circle, in laps, laps, round in a circle
    """,
    "standing still": """
        perfectly still, lying, lying there, laying, laying there, facing each other, dont move,
        motionlessly, frozen in place, without motion, no movement, hovering motionless
    """,
    "jumping": "up in the air, for joy, boing boing, bounding, up and down on a trampoline",
    "quickly": "rapidly, speedily, swiftly, at full speed, at top speed, very fast",
    "slowly": "lazily, sleepily",
    # What is there to be seen beside it
    "large": "huge, giant, enormous, massive, gigantic, humongous, bigger",
    "small": "mini, miniature, smallish, lil, teeny, petite",
    "stripes": "stripy, stripey",
    "smooth": "glossy",
    "and": "n",
    "around": "on its axis, on the spot, round itself, around itself",
    "through": "thru",
    "coming down": "tumbling down",
}
"""Words of the world: comma-separated words and phrases that people say."""

VERBS: dict[tuple[str, str], str] = {
    ("moves", "moving"): """
        walk march trot stomp flutter flap travel drive fly sail swim skate ski ride wander roam
        pass cross journey proceed step strut parade waddle limp stumble float glide drift hover
        cruise
    """,
    ("moves quickly", "moving quickly"): """
        run sprint dash race rush hurry gallop dart bolt zip scamper scurry whiz
    """,
    ("moves slowly", "moving slowly"): """
        stroll crawl creep sneak tiptoe trudge amble plod shuffle jog
    """,
    ("rolls", "rolling"): "tumble",
    ("jumps", "jumping"): "jump hop leap bounce skip bob dance trampoline frolic",
    ("spins", "spinning"): "spin twirl whirl rotate revolve pirouette swirl",
    ("moves in a circle", "moving in a circle"): "circle",
    ("stands still", "standing still"): "stand sit rest sleep wait pose freeze nap snooze pause",
    ("comes closer", "coming closer"): "approach near advance",
    ("moves away", "moving away"): "depart retreat recede",
}
"""(finite form, gerund) of the world: verbs that people say, in their base form."""

COLOR_LIKE = {
    "red": "cherry tomato rose brick wine", "orange": "apricot pumpkin mandarin peach carrot coral",
    "yellow": "banana canary lemon honey butter", "green": "mint olive grass hedge lime moss",
    "blue": "sky ocean denim", "purple": "plum grape eggplant", "pink": "salmon flamingo candy",
    "white": "pearl milk cream chalk", "black": "coal ink charcoal raven",
}  # fmt: skip
"""Things for whose colour people name them: "cherry-hued", "banana coloured"."""

IRREGULAR = {
    "ran": "run", "swam": "swim", "flew": "fly", "rode": "ride", "drove": "drive", "stood": "stand",
    "sat": "sit", "slept": "sleep", "leapt": "leap",
}  # fmt: skip
"""Past forms that have no rule."""

NOTHING = """
    4k 8k adorable against alone am amid amidst ancient angrily angry are atmospheric awesome
    been behold being beneath beside besides blond blonde brave buddy busy calmly carefully
    charming cheerful cheerfully chubby cinematic colorful colourful completely constantly
    continuously cuddly curious curiously d dear detailed dramatic dreamy during elderly elegant
    elegantly em endlessly energetic energetically enthusiastically epic excited excitedly
    extremely facing fantastic favorite favourite fluffy footage forever furry gentle gently
    gorgeous graceful gracefully had handsome happily having hd he hello herself hey hi him
    himself hyper hyperrealistic incredible ish isolated itself joyful joyfully kinda lighting
    lit ll lonely lonesome m magical majestic masterpiece maybe merrily metallic morning
    mystical need needs our outdoors pal past peaceful peacefully perfect photorealistic plastic
    playful playfully pls plump plz premium product professional proudly quality quietly quite
    rather re realistic realistically resolution s sad sadly seamless self shaggy shaped she shy
    silent silently skinny sleepy smoothly softly somewhat sorta steadily stunning sturdy
    suddenly super sweet t themselves these thingy those tired ultra um upon ve vibrant vivid
    wanna wants was we wee were who whose wildly within wonderful wooden ya yeah young your
"""
"""Words that say nothing which the world can show."""
