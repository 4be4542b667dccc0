namespace Uniscale.Data;

/// <summary>The entries and merges of a byte-level BPE model as its encoder needs them.</summary>
internal sealed class ByteLevelVocabulary
{
    private readonly Dictionary<string, int> _ids;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _lookup;
    private readonly int[] _bytes = new int[256]; // entries of single bytes; -1 where there is none

    /// <param name="ids">The entries, in the characters of <see cref="ByteAlphabet"/>.</param>
    /// <param name="merges">Pairs of entries, the first to be merged first.</param>
    /// <exception cref="FormatException">A merge is of entries that are not there, or a byte has none.</exception>
    public ByteLevelVocabulary(Dictionary<string, int> ids, IReadOnlyList<(string Left, string Right)> merges)
    {
        (_ids, _lookup) = (ids, ids.GetAlternateLookup<ReadOnlySpan<char>>());
        for (int value = 0; value < _bytes.Length; value++)
            _bytes[value] = ids.GetValueOrDefault(ByteAlphabet.Of((byte)value).ToString(), -1);
        Merges = new MergeTable([
            .. merges.Select((merge, rank) => (Id(merge.Left, rank), Id(merge.Right, rank), Id(merge.Left + merge.Right, rank), rank)),
        ]);
    }

    public MergeTable Merges { get; }

    /// <summary>Stands for a byte that is no entry; -1: there must be none.</summary>
    public required int UnknownId { get; init; }

    /// <summary>Unknown bytes side by side are one token.</summary>
    public required bool FusesUnknown { get; init; }

    /// <summary>A word that is an entry is its token, whatever merges would give.</summary>
    public required bool IgnoresMerges { get; init; }

    /// <summary>The entries by their names.</summary>
    public IReadOnlyDictionary<string, int> Ids => _ids;

    /// <summary>The entry of a byte; -1: there is none.</summary>
    public int OfByte(byte value) => _bytes[value];

    /// <summary>The first byte that a text may hold and no entry stands for; null: there is none.</summary>
    public byte? MissingByte
    {
        get
        {
            for (int value = 0; value < _bytes.Length; value++)
                if (_bytes[value] < 0 && value is < 0xC0 or (> 0xC1 and < 0xF5))
                    return (byte)value;
            return null;
        }
    }

    /// <summary>The entry that a word is as a whole; -1: it is none.</summary>
    public int WholeWord(ReadOnlySpan<byte> word)
    {
        const int MostOnStack = 256;
        var characters = word.Length <= MostOnStack ? stackalloc char[word.Length] : new char[word.Length];
        for (int i = 0; i < word.Length; i++)
            characters[i] = ByteAlphabet.Of(word[i]);
        return _lookup.TryGetValue(characters, out int id) ? id : -1;
    }

    private int Id(string piece, int rank) =>
        _ids.TryGetValue(piece, out int id)
            ? id
            : throw new FormatException($"merge {rank + 1} is of '{piece}', which the vocabulary lacks");
}
