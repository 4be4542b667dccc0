using System.Numerics;
using System.Runtime.InteropServices;

namespace Uniscale.Corpus.Cleaning;

/// <summary>
/// Signatures whose share of equal places estimates the Jaccard similarity of sets of shingles (Broder, 1997). Each place is the least
/// value of
/// a·x + b mod 2^32 over the shingles' hashes x, a odd (multiply-shift; Dietzfelbinger et al., 1997). Standard error of the estimate:
/// sqrt(s(1-s)/places).
/// </summary>
internal sealed class MinHash
{
    private readonly uint[] _factors;
    private readonly uint[] _offsets;

    /// <param name="places">Numbers in a signature.</param>
    public MinHash(int places)
    {
        int padded = (places + Vector<uint>.Count - 1) / Vector<uint>.Count * Vector<uint>.Count;
        _factors = [.. Enumerable.Range(0, padded).Select(i => (uint)Words.Mix((2UL * (uint)i) + 1) | 1)];
        _offsets = [.. Enumerable.Range(0, padded).Select(i => (uint)Words.Mix((2UL * (uint)i) + 2))];
        Places = places;
    }

    public int Places { get; }

    /// <summary>Length of the buffer that <see cref="Sign"/> needs.</summary>
    public int BufferLength => _factors.Length;

    /// <summary>Computes the signature of the shingles of <paramref name="shingle"/> words into the first places of the buffer.</summary>
    public void Sign(ReadOnlySpan<Word> words, int shingle, Span<uint> buffer)
    {
        buffer.Fill(uint.MaxValue);
        var least = MemoryMarshal.Cast<uint, Vector<uint>>(buffer);
        ReadOnlySpan<Vector<uint>> factors = MemoryMarshal.Cast<uint, Vector<uint>>(_factors),
            offsets = MemoryMarshal.Cast<uint, Vector<uint>>(_offsets);
        var hashes = new NgramHashes(words, shingle);
        while (hashes.MoveNext())
        {
            var x = new Vector<uint>((uint)(hashes.Current >> 32));
            for (int i = 0; i < least.Length; i++)
                least[i] = Vector.Min(least[i], (x * factors[i]) + offsets[i]);
        }
    }

    /// <summary>Estimated Jaccard similarity of what two signatures stand for.</summary>
    public static double Similarity(ReadOnlySpan<uint> left, ReadOnlySpan<uint> right)
    {
        int equal = 0;
        for (int i = 0; i < left.Length; i++)
            equal += left[i] == right[i] ? 1 : 0;
        return equal / (double)left.Length;
    }
}
