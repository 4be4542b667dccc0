namespace Uniscale.Data;

/// <summary>
/// Merges the neighbours in a row of symbols, the lowest rank first and of equal ones the leftmost, as SentencePiece (bpe_model.cc) and
/// Hugging Face's tokenizers (word.rs) do. Buffers grow with the longest row and are kept.
/// </summary>
internal sealed class SymbolMerger(MergeTable merges)
{
    /// <summary>Up to here looking at all pairs for each merge is faster than a heap.</summary>
    private const int MostScanned = 48;

    private int[] _symbols = new int[64];
    private int[] _sources = new int[64];
    private int[] _ranks = new int[64];
    private int[] _merged = new int[64];
    private int[] _next = [];
    private int[] _before = [];
    private int[] _sizes = [];
    private (ulong Order, int Right, int Size, int Merged)[] _heap = [];
    private int _heapCount;

    /// <summary>The row, to be filled before it is merged. Symbols below zero merge with nothing.</summary>
    public Span<int> Symbols => _symbols;

    /// <summary>What a symbol was made of, where that matters: it moves with its symbol.</summary>
    public Span<int> Sources => _sources;

    /// <summary>Makes room for a row.</summary>
    public void Reserve(int count)
    {
        if (_symbols.Length >= count)
            return;
        int room = Math.Max(count, 2 * _symbols.Length);
        (_symbols, _sources) = (new int[room], new int[room]);
    }

    /// <summary>Merges the first symbols of the row.</summary>
    /// <returns>How many are left.</returns>
    public int Merge(int count) =>
        count > MostScanned ? MergeByHeap(count)
        : count > 1 ? MergeByScan(count)
        : count;

    private int MergeByScan(int count)
    {
        Span<int> symbols = _symbols,
            sources = _sources,
            ranks = _ranks,
            merged = _merged;
        for (int i = 0; i + 1 < count; i++)
            ranks[i] = merges.Rank(symbols[i], symbols[i + 1], out merged[i]);
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
                ranks[best - 1] = merges.Rank(symbols[best - 1], symbols[best], out merged[best - 1]);
            if (best + 1 < count)
                ranks[best] = merges.Rank(symbols[best], symbols[best + 1], out merged[best]);
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
        int rank = merges.Rank(_symbols[left], _symbols[right], out int merged);
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
}
