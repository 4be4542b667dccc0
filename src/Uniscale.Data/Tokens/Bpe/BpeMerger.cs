namespace Uniscale.Data;

/// <summary>
/// Merges the neighbours of a word, the lowest rank first and of equal ones the leftmost, as SentencePiece does (bpe_model.cc). Buffers
/// grow with the longest word and are kept.
/// </summary>
internal sealed class BpeMerger(BpeVocabulary vocabulary)
{
    /// <summary>Up to here looking at all pairs for each merge is faster than a heap.</summary>
    private const int MostScanned = 48;

    private readonly MergeTable _merges = vocabulary.Merges;
    private int[] _characters = new int[64];
    private int[] _symbols = new int[64];
    private int[] _sources = new int[64]; // the character of a symbol that is one
    private int[] _ranks = new int[64];
    private int[] _merged = new int[64];
    private int[] _next = [];
    private int[] _before = [];
    private int[] _sizes = [];
    private (ulong Order, int Right, int Size, int Merged)[] _heap = [];
    private int _heapCount;

    /// <summary>Encodes a word.</summary>
    /// <param name="word">Valid UTF-8.</param>
    /// <param name="hasSpace">A space is in front of it that is not in the text.</param>
    /// <param name="tokens">Has room for three tokens a byte.</param>
    /// <returns>Number of tokens.</returns>
    public int Encode(ReadOnlySpan<byte> word, bool hasSpace, Span<int> tokens)
    {
        int characters = Decode(word, hasSpace);
        int count = FindSymbols(_characters.AsSpan(0, characters));
        if (count > MostScanned)
            count = MergeByHeap(count);
        else if (count > 1)
            count = MergeByScan(count);
        return Write(count, tokens);
    }

    private int Decode(ReadOnlySpan<byte> word, bool hasSpace)
    {
        if (_characters.Length <= word.Length)
        {
            int room = Math.Max(word.Length + 1, 2 * _characters.Length);
            (_characters, _symbols, _sources) = (new int[room], new int[room], new int[room]);
        }
        int count = 0;
        if (hasSpace)
            _characters[count++] = vocabulary.Space;
        for (int at = 0; at < word.Length; count++)
        {
            at += Utf8Character.Decode(word, at, out int character);
            _characters[count] = character == ' ' ? vocabulary.Space : character;
        }
        return count;
    }

    private int FindSymbols(ReadOnlySpan<int> characters)
    {
        int count = 0;
        for (int at = 0; at < characters.Length; count++)
        {
            _sources[count] = characters[at];
            int length = vocabulary.UserDefinedAt(characters[at..], out int id);
            _symbols[count] = length > 0 ? Frozen(id) : vocabulary.SymbolOf(characters[at]);
            at += Math.Max(1, length);
        }
        return count;
    }

    /// <summary>A user-defined symbol as what never merges.</summary>
    private static int Frozen(int id) => BpeVocabulary.UnknownSymbol - 1 - id;

    private int MergeByScan(int count)
    {
        Span<int> symbols = _symbols,
            sources = _sources,
            ranks = _ranks,
            merged = _merged;
        for (int i = 0; i + 1 < count; i++)
            ranks[i] = _merges.Rank(symbols[i], symbols[i + 1], out merged[i]);
        while (count > 1)
        {
            int best = 0,
                rank = ranks[0];
            for (int i = 1; i < count - 1; i++)
                if (ranks[i] < rank)
                    (best, rank) = (i, ranks[i]);
            if (rank == MergeTable.Never)
                break;
            symbols[best] = merged[best];
            count--;
            for (int i = best + 1; i < count; i++)
            {
                (symbols[i], sources[i]) = (symbols[i + 1], sources[i + 1]);
                (ranks[i - 1], merged[i - 1]) = (ranks[i], merged[i]);
            }
            if (best > 0)
                ranks[best - 1] = _merges.Rank(symbols[best - 1], symbols[best], out merged[best - 1]);
            if (best + 1 < count)
                ranks[best] = _merges.Rank(symbols[best], symbols[best + 1], out merged[best]);
        }
        return count;
    }

    private int MergeByHeap(int count)
    {
        if (_next.Length < count)
            (_next, _before, _sizes) = (new int[_symbols.Length], new int[_symbols.Length], new int[_symbols.Length]);
        _heapCount = 0;
        for (int i = 0; i < count; i++)
            (_next[i], _before[i], _sizes[i]) = (i + 1 < count ? i + 1 : -1, i - 1, 1);
        for (int i = 0; i + 1 < count; i++)
            Offer(i, i + 1);
        while (_heapCount > 0)
        {
            (ulong order, int right, int size, int merged) = Pop();
            int left = (int)(uint)order;
            if (_sizes[left] == 0 || _sizes[right] == 0 || _sizes[left] + _sizes[right] != size)
                continue; // one of them has merged with another since
            _symbols[left] = merged;
            (_sizes[left], _sizes[right]) = (size, 0);
            _next[left] = _next[right];
            if (_next[right] >= 0)
                _before[_next[right]] = left;
            Offer(_before[left], left);
            Offer(left, _next[left]);
        }
        int kept = 0;
        for (int at = 0; at >= 0; at = _next[at])
            (_symbols[kept], _sources[kept++]) = (_symbols[at], _sources[at]);
        return kept;
    }

    private void Offer(int left, int right)
    {
        if (left < 0 || right < 0)
            return;
        int rank = _merges.Rank(_symbols[left], _symbols[right], out int merged);
        if (rank == MergeTable.Never)
            return;
        if (_heapCount == _heap.Length)
            Array.Resize(ref _heap, Math.Max(256, 2 * _heap.Length));
        var item = (Order: ((ulong)(uint)rank << 32) | (uint)left, right, _sizes[left] + _sizes[right], merged);
        int at = _heapCount++;
        for (; at > 0 && _heap[(at - 1) / 2].Order > item.Order; at = (at - 1) / 2)
            _heap[at] = _heap[(at - 1) / 2];
        _heap[at] = item;
    }

    private (ulong Order, int Right, int Size, int Merged) Pop()
    {
        var top = _heap[0];
        var last = _heap[--_heapCount];
        int at = 0;
        for (int child = 1; child < _heapCount; child = (2 * at) + 1)
        {
            if (child + 1 < _heapCount && _heap[child + 1].Order < _heap[child].Order)
                child++;
            if (_heap[child].Order >= last.Order)
                break;
            _heap[at] = _heap[child];
            at = child;
        }
        _heap[at] = last;
        return top;
    }

    private int Write(int count, Span<int> tokens)
    {
        int written = 0;
        for (int i = 0; i < count; i++)
        {
            int symbol = _symbols[i];
            if ((uint)symbol < (uint)vocabulary.Size)
                tokens[written++] = symbol;
            else if (symbol < BpeVocabulary.UnknownSymbol)
                tokens[written++] = BpeVocabulary.UnknownSymbol - 1 - symbol;
            else if (vocabulary.HasBytes || written == 0 || tokens[written - 1] != vocabulary.UnknownId)
                written += vocabulary.WriteUnknown(_sources[i], tokens[written..]);
        }
        return written;
    }
}
