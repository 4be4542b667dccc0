namespace Uniscale.Fuzzing;

/// <summary>
/// Inputs near those of a corpus: bytes flipped, pieces cut, doubled, moved between seeds, numbers made extreme. The same seed gives the
/// same inputs. A target
/// is a method of a byte array that returns whatever the bytes are, or fails the test.
/// </summary>
internal static class Mutations
{
    private static readonly byte[][] Pieces =
    [
        .. (
            (string[])
                [
                    "0",
                    "-1",
                    "7",
                    "null",
                    "[]",
                    "{}",
                    "[",
                    "]",
                    "{",
                    "}",
                    "\"",
                    ",",
                    ":",
                    "\n",
                    "18446744073709551615",
                    "-9223372036854775808",
                    "1e999",
                    "NaN",
                    "../../x",
                    "/etc/passwd",
                    "\0",
                    "\u00e9",
                    "*a",
                    "&a ",
                ]
        ).Select(System.Text.Encoding.UTF8.GetBytes),
        [0xFF],
        [0xC0, 0x80],
        [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F],
    ];

    /// <summary>The seeds themselves, then as many mutants.</summary>
    public static IEnumerable<byte[]> Of(IReadOnlyList<byte[]> seeds, int count, int seed)
    {
        foreach (byte[] input in seeds)
            yield return input;
        var random = new Random(seed);
        for (int i = 0; i < count; i++)
        {
            byte[] bytes = seeds[random.Next(seeds.Count)];
            for (int edits = random.Next(1, 5); edits > 0; edits--)
                bytes = Edit(bytes, seeds, random);
            yield return bytes;
        }
    }

    private static byte[] Edit(byte[] bytes, IReadOnlyList<byte[]> seeds, Random random)
    {
        int at = random.Next(bytes.Length + 1);
        int length = random.Next(Math.Min(16, bytes.Length - at) + 1);
        switch (random.Next(7))
        {
            case 0:
                return [.. bytes[..at], .. Pieces[random.Next(Pieces.Length)], .. bytes[(at + length)..]];
            case 1:
                return bytes[..at];
            case 2:
                return [.. bytes[..at], .. bytes[(at + length)..]];
            case 3:
                return [.. bytes[..at], .. bytes.AsSpan(at, length), .. bytes[at..]];
            case 4:
                byte[] other = seeds[random.Next(seeds.Count)];
                return [.. bytes[..at], .. other.AsSpan(random.Next(other.Length + 1))];
            case 5 when bytes.Length > 0:
                byte[] digits = (byte[])bytes.Clone();
                for (int i = 0; i < digits.Length; i++)
                    if (digits[i] is >= (byte)'0' and <= (byte)'9' && random.Next(8) == 0)
                        digits[i] = (byte)('0' + random.Next(10));
                return digits;
            default:
                byte[] flipped = (byte[])bytes.Clone();
                if (flipped.Length > 0)
                    flipped[random.Next(flipped.Length)] ^= (byte)(1 << random.Next(8));
                return flipped;
        }
    }
}
