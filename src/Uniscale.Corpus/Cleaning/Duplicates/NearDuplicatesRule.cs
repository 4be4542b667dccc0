using Uniscale.Data;

namespace Uniscale.Corpus.Cleaning;

/// <summary>Drops documents that are nearly what an earlier document says that stays.</summary>
internal sealed class NearDuplicatesRule(NearDuplicatesSection settings) : ICorpusRule
{
    private readonly MinHash _hash = new(settings.Bands * settings.Rows);

    public IObservations Observe(string path) => new SignatureWriter(path, settings, _hash);

    public void Decide(IReadOnlyList<string> observations, IReadOnlyList<string> decisions, CancellationToken cancellation)
    {
        using var signatures = new Signatures(observations, _hash.Places);
        var drops = new NearDuplicateSearch(signatures, settings).Run(cancellation);
        for (int shard = 0; shard < decisions.Count; shard++)
            drops[shard].Save(decisions[shard]);
    }

    public IDocumentRule Apply(string decisions) => new FlaggedDocuments(Flags.Load(decisions));

    private sealed class SignatureWriter(string path, NearDuplicatesSection settings, MinHash hash) : IObservations
    {
        private readonly RecordFile.Writer<uint> _file = new(path);
        private readonly uint[] _buffer = new uint[hash.BufferLength];

        public void Add(CleaningDocument document)
        {
            var words = document.Words;
            if (NgramHashes.Count(words.Length, settings.Shingle) >= settings.MinShingles)
                hash.Sign(words, settings.Shingle, _buffer);
            else
                _buffer.AsSpan().Fill(uint.MaxValue); // no signature
            _file.Add(_buffer.AsSpan(0, hash.Places));
        }

        public void Dispose() => _file.Dispose();
    }
}

/// <summary>The signatures of all shards, on disk; documents are numbered through.</summary>
internal sealed class Signatures : IDisposable
{
    private readonly MappedFile[] _files;
    private readonly int[] _starts;

    public Signatures(IReadOnlyList<string> paths, int places)
    {
        Places = places;
        _files = [.. paths.Select(path => new MappedFile(path))];
        _starts = new int[paths.Count + 1];
        for (int i = 0; i < paths.Count; i++)
            _starts[i + 1] = checked(_starts[i] + (int)(_files[i].Length / (places * sizeof(uint))));
    }

    public int Places { get; }

    /// <summary>Documents of all shards.</summary>
    public int Count => _starts[^1];

    public int Shards => _files.Length;

    /// <summary>Documents of a shard.</summary>
    public int CountOf(int shard) => _starts[shard + 1] - _starts[shard];

    /// <summary>Reads the places from <paramref name="first"/> on of a document's signature.</summary>
    public void Read(int document, int first, Span<uint> places)
    {
        (int shard, int within) = Locate(document);
        _files[shard].Read((((long)within * Places) + first) * sizeof(uint), places);
    }

    /// <summary>The shard of a document and its number there.</summary>
    public (int Shard, int Within) Locate(int document)
    {
        int found = Array.BinarySearch(_starts, document);
        int shard = found >= 0 ? found : ~found - 1;
        while (CountOf(shard) == 0)
            shard++; // empty shards begin where the next one does
        return (shard, document - _starts[shard]);
    }

    public void Dispose()
    {
        foreach (var file in _files)
            file.Dispose();
    }
}
