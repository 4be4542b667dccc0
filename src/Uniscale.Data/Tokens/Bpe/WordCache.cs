using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Uniscale.Data;

/// <summary>The tokens of words met before: a table in which a word has one place, taken over by whichever came last.</summary>
internal sealed class WordCache
{
    /// <summary>Longest word that is kept, in bytes.</summary>
    public const int MostBytes = 24;

    /// <summary>Most tokens that are kept of a word.</summary>
    public const int MostTokens = 8;

    private const int Bits = 15; // 2 MiB

    private readonly Entry[] _entries = new Entry[1 << Bits];

    /// <summary>The place of a word.</summary>
    /// <param name="text">The text that the word stands in.</param>
    /// <param name="start">Where it begins.</param>
    /// <param name="length">Its bytes, at most <see cref="MostBytes"/>.</param>
    /// <param name="isThere">The place holds its tokens; else it is to be given them by <see cref="Entry.Set"/>.</param>
    public ref Entry Find(ReadOnlySpan<byte> text, int start, int length, out bool isThere)
    {
        ulong first,
            second = 0,
            third = 0;
        if (length <= 8)
        {
            first = Load(text, start, length);
        }
        else
        {
            first = BinaryPrimitives.ReadUInt64LittleEndian(text[start..]);
            second = Load(text, start + 8, Math.Min(8, length - 8));
            third = length > 16 ? Load(text, start + 16, length - 16) : 0;
        }
        ulong mixed = (first ^ (second * 0xC2B2_AE3D_27D4_EB4F) ^ (third * 0x1656_67B1_9E37_79F9) ^ (uint)length) * 0x9E37_79B9_7F4A_7C15;
        mixed = (mixed ^ (mixed >> 32)) * 0xD6E8_FEB8_6659_FD93;
        ref var entry = ref _entries[mixed >> (64 - Bits)];
        isThere = entry.IsOf(first, second, third, length);
        if (!isThere)
            entry.Name(first, second, third, length);
        return ref entry;
    }

    private static ulong Load(ReadOnlySpan<byte> text, int start, int length)
    {
        if (start + 8 <= text.Length)
            return BinaryPrimitives.ReadUInt64LittleEndian(text[start..]) & (ulong.MaxValue >> (64 - (8 * length)));
        ulong value = 0;
        for (int i = 0; i < length; i++)
            value |= (ulong)text[start + i] << (8 * i);
        return value;
    }

    /// <summary>A word with its tokens, a cache line large.</summary>
    internal struct Entry
    {
        private ulong _first,
            _second,
            _third;
        private int _length;
        private int _count;
        private Tokens _tokens;

        /// <summary>Number of tokens.</summary>
        public readonly int Count => _count;

        /// <summary>
        /// Writes the tokens, and some more behind them that mean nothing: there must be room for <see cref="MostTokens"/>.
        /// </summary>
        public readonly int Write(Span<int> tokens)
        {
            ((ReadOnlySpan<int>)_tokens).CopyTo(tokens);
            return _count;
        }

        /// <summary>Gives the place its tokens; where they are too many it is empty.</summary>
        public void Set(ReadOnlySpan<int> tokens)
        {
            _length = tokens.Length > MostTokens ? 0 : _length;
            if (_length == 0)
                return;
            tokens.CopyTo(_tokens);
            _count = tokens.Length;
        }

        internal readonly bool IsOf(ulong first, ulong second, ulong third, int length) =>
            _first == first && _second == second && _third == third && _length == length;

        internal void Name(ulong first, ulong second, ulong third, int length) =>
            (_first, _second, _third, _length) = (first, second, third, length);

        [InlineArray(MostTokens)]
        private struct Tokens
        {
            private int _token;
        }
    }
}
