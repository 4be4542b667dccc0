using Uniscale.Corpus.Reading;

namespace Uniscale.Corpus;

/// <summary>How an import reads, and what it does with what is not as it should be.</summary>
public sealed record ImportOptions
{
    /// <summary>How files are read.</summary>
    public ReadingOptions Reading { get; init; } = new();

    /// <summary>The first damaged file ends the import.</summary>
    public bool Strict { get; init; }

    /// <summary>Of a damaged file, the documents before the damage are kept.</summary>
    public bool KeepPartial { get; init; }

    /// <summary>Files that the domain has already are imported once more.</summary>
    public bool Again { get; init; }

    /// <summary>Other places whose files are imported too.</summary>
    public IReadOnlyList<IRawStore> Stores { get; init; } = [];

    /// <summary>Files that are read at once, and documents that are worked on at once; the store is the same for any number.</summary>
    public int Workers { get; init; } = Environment.ProcessorCount;

    /// <summary>Bytes of raw files that go together into files of the store.</summary>
    internal long UnitBytes { get; init; } = 16 << 20;

    /// <summary>Is told now and then how far the import came, in bytes of files and all there are.</summary>
    public Action<long, long>? Progress { get; init; }
}
