using System.Buffers.Binary;

namespace Uniscale.Fuzz;

/// <summary>
/// Makes inputs out of good ones: cut, flipped, overwritten, doubled, joined, with sizes that no reader should believe. The same seed makes
/// the same inputs.
/// </summary>
public sealed class Mutator(int seed, IReadOnlyList<byte[]> words)
{
    private const int MostBytes = 1 << 20;

    private static readonly long[] Sizes =
    [
        0,
        1,
        -1,
        127,
        128,
        255,
        256,
        65535,
        65536,
        int.MaxValue,
        int.MinValue,
        uint.MaxValue,
        long.MaxValue,
        long.MinValue,
        1L << 40,
    ];

    private readonly Random _random = new(seed);

    /// <summary>One more input.</summary>
    public byte[] Next(IReadOnlyList<byte[]> corpus)
    {
        byte[] input = [.. corpus[_random.Next(corpus.Count)]];
        for (int changes = 1 + _random.Next(4); changes > 0; changes--)
            input = Change(input, corpus);
        return input.Length > MostBytes ? input[..MostBytes] : input;
    }

    private byte[] Change(byte[] input, IReadOnlyList<byte[]> corpus)
    {
        if (input.Length == 0)
            return [.. corpus[_random.Next(corpus.Count)]];
        int at = _random.Next(input.Length),
            length = _random.Next(Math.Min(64, input.Length - at)) + 1;
        switch (_random.Next(9))
        {
            case 0:
                input[at] ^= (byte)(1 << _random.Next(8));
                return input;
            case 1:
                input[at] = (byte)_random.Next(256);
                return input;
            case 2:
                return input[..at];
            case 3:
                return [.. input[..at], .. input[(at + length)..]];
            case 4:
                return [.. input[..(at + length)], .. input[at..]];
            case 5:
                WriteSize(input.AsSpan(at));
                return input;
            case 6 when words.Count > 0:
                return [.. input[..at], .. words[_random.Next(words.Count)], .. input[at..]];
            case 7:
                byte[] other = corpus[_random.Next(corpus.Count)];
                return [.. input[..at], .. other[_random.Next(other.Length + 1)..]];
            default:
                _random.NextBytes(input.AsSpan(at, length));
                return input;
        }
    }

    private void WriteSize(Span<byte> place)
    {
        long size = Sizes[_random.Next(Sizes.Length)];
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, size);
        bytes[..Math.Min(place.Length, 1 << _random.Next(4))].CopyTo(place);
    }
}
