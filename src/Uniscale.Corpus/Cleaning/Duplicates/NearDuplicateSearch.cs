using System.Runtime.InteropServices;

namespace Uniscale.Corpus.Cleaning;

/// <summary>
/// Finds which documents are nearly what an earlier one says. Band by band, documents whose signatures agree in the band are brought
/// together by sorting, and
/// each is compared with the first of its kind. Then, in order, a document is dropped where one that stays is similar enough: nothing is
/// dropped because
/// of a chain of small differences, and the answer is a function of the signatures and their order alone.
/// Memory: 12 bytes a document for the band that is sorted, in parts where that exceeds the bound, 4 for what stays, and 8 for each
/// duplicate.
/// </summary>
internal sealed class NearDuplicateSearch(Signatures signatures, NearDuplicatesSection settings)
{
    private const int EntryBytes = sizeof(ulong) + sizeof(int);

    /// <summary>Kinds that a document is compared with in a bucket; buckets of more are of words that everybody uses.</summary>
    private const int MaxKinds = 64;

    private readonly List<long> _pairs = [];
    private readonly List<int> _kinds = [];
    private readonly uint[] _left = new uint[signatures.Places];
    private readonly uint[] _right = new uint[signatures.Places];

    /// <summary>The documents to drop, for each shard.</summary>
    public Flags[] Run(CancellationToken cancellation)
    {
        ulong parts = (ulong)(((long)signatures.Count * EntryBytes / settings.Memory) + 1);
        int capacity = (int)Math.Min(signatures.Count, ((long)signatures.Count * 5 / 4 / (long)parts) + 1024);
        var (keys, documents) = (new ulong[capacity], new int[capacity]);
        for (int band = 0; band < settings.Bands; band++)
        {
            for (ulong part = 0; part < parts; part++)
            {
                cancellation.ThrowIfCancellationRequested();
                int count = Collect(band, part, parts, ref keys, ref documents);
                Array.Sort(keys, documents, 0, count);
                PairUp(keys.AsSpan(0, count), documents.AsSpan(0, count));
            }
            Compact();
        }
        return Resolve();
    }

    /// <summary>The hashes of a band that fall into a part of their space, with their documents.</summary>
    private int Collect(int band, ulong part, ulong parts, ref ulong[] keys, ref int[] documents)
    {
        Span<uint> rows = stackalloc uint[settings.Rows];
        int count = 0;
        for (int document = 0; document < signatures.Count; document++)
        {
            signatures.Read(document, band * settings.Rows, rows);
            if (!rows.ContainsAnyExcept(uint.MaxValue))
                continue;
            ulong key = 0;
            foreach (uint row in rows)
                key = Words.Mix(key + row + 1);
            if (key % parts != part)
                continue;
            if (count == keys.Length)
            {
                Array.Resize(ref keys, count * 5 / 4);
                Array.Resize(ref documents, count * 5 / 4);
            }
            (keys[count], documents[count++]) = (key, document);
        }
        return count;
    }

    private void PairUp(ReadOnlySpan<ulong> keys, Span<int> documents)
    {
        for (int start = 0; start < keys.Length;)
        {
            int end = start + 1;
            while (end < keys.Length && keys[end] == keys[start])
                end++;
            if (end - start > 1)
                PairUpBucket(documents[start..end]);
            start = end;
        }
    }

    private void PairUpBucket(Span<int> bucket)
    {
        bucket.Sort();
        _kinds.Clear();
        foreach (int document in bucket)
        {
            int kind = _kinds.FindIndex(earlier => AreSimilar(earlier, document));
            if (kind >= 0)
                _pairs.Add(((long)document << 32) | (uint)_kinds[kind]);
            else if (_kinds.Count < MaxKinds)
                _kinds.Add(document);
        }
    }

    private bool AreSimilar(int left, int right)
    {
        signatures.Read(left, 0, _left);
        signatures.Read(right, 0, _right);
        return MinHash.Similarity(_left, _right) >= settings.Similarity;
    }

    /// <summary>Most pairs are found in many bands.</summary>
    private void Compact()
    {
        _pairs.Sort();
        int kept = 0;
        var pairs = CollectionsMarshal.AsSpan(_pairs);
        for (int i = 0; i < pairs.Length; i++)
            if (kept == 0 || pairs[i] != pairs[kept - 1])
                pairs[kept++] = pairs[i];
        _pairs.RemoveRange(kept, _pairs.Count - kept);
    }

    private Flags[] Resolve()
    {
        Flags[] drops = [.. Enumerable.Range(0, signatures.Shards).Select(shard => new Flags(signatures.CountOf(shard)))];
        var stays = new Dictionary<int, int>(); // for what is dropped, what stays in its place
        foreach (long pair in _pairs)
        {
            var (document, earlier) = ((int)(pair >> 32), (int)pair);
            if (stays.ContainsKey(document))
                continue;
            bool isDropped = stays.TryGetValue(earlier, out int kept);
            if (isDropped && !AreSimilar(kept, document))
                continue;
            stays[document] = isDropped ? kept : earlier;
            (int shard, int within) = signatures.Locate(document);
            drops[shard].Set(within);
        }
        return drops;
    }
}
