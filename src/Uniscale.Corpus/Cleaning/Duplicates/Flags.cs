namespace Uniscale.Corpus.Cleaning;

/// <summary>One bit each for what is to be dropped; a file of decisions.</summary>
internal sealed class Flags
{
    private readonly byte[] _bits;

    public Flags(int count) => _bits = new byte[(count + 7) / 8];

    private Flags(byte[] bits) => _bits = bits;

    public bool this[int index] => (_bits[index >> 3] >> (index & 7) & 1) != 0;

    public static Flags Load(string path) => new(File.ReadAllBytes(path));

    public void Set(int index) => _bits[index >> 3] |= (byte)(1 << (index & 7));

    public void Save(string path) => File.WriteAllBytes(path, _bits);
}

/// <summary>Drops the documents of a shard that are flagged, by their order.</summary>
internal sealed class FlaggedDocuments(Flags flags) : IDocumentRule
{
    private int _next;

    public bool Keeps(CleaningDocument document) => !flags[_next++];
}
