namespace Uniscale.Data;

/// <summary>Turns a word into the tokens of a SentencePiece BPE model.</summary>
internal sealed class BpeMerger(BpeVocabulary vocabulary)
{
    private readonly SymbolMerger _merger = new(vocabulary.Merges);
    private int[] _characters = new int[64];

    /// <summary>Encodes a word.</summary>
    /// <param name="word">Valid UTF-8.</param>
    /// <param name="hasSpace">A space is in front of it that is not in the text.</param>
    /// <param name="tokens">Has room for three tokens a byte.</param>
    /// <returns>Number of tokens.</returns>
    public int Encode(ReadOnlySpan<byte> word, bool hasSpace, Span<int> tokens)
    {
        int characters = Decode(word, hasSpace);
        return Write(_merger.Merge(FindSymbols(_characters.AsSpan(0, characters))), tokens);
    }

    private int Decode(ReadOnlySpan<byte> word, bool hasSpace)
    {
        if (_characters.Length <= word.Length)
            _characters = new int[Math.Max(word.Length + 1, 2 * _characters.Length)];
        _merger.Reserve(word.Length + 1);
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
        Span<int> symbols = _merger.Symbols,
            sources = _merger.Sources;
        int count = 0;
        for (int at = 0; at < characters.Length; count++)
        {
            sources[count] = characters[at];
            int length = vocabulary.UserDefinedAt(characters[at..], out int id);
            symbols[count] = length > 0 ? Frozen(id) : vocabulary.SymbolOf(characters[at]);
            at += Math.Max(1, length);
        }
        return count;
    }

    /// <summary>A user-defined symbol as what never merges.</summary>
    private static int Frozen(int id) => BpeVocabulary.UnknownSymbol - 1 - id;

    private int Write(int count, Span<int> tokens)
    {
        Span<int> symbols = _merger.Symbols,
            sources = _merger.Sources;
        int written = 0;
        for (int i = 0; i < count; i++)
        {
            int symbol = symbols[i];
            if ((uint)symbol < (uint)vocabulary.Size)
                tokens[written++] = symbol;
            else if (symbol < BpeVocabulary.UnknownSymbol)
                tokens[written++] = BpeVocabulary.UnknownSymbol - 1 - symbol;
            else if (vocabulary.HasBytes || written == 0 || tokens[written - 1] != vocabulary.UnknownId)
                written += vocabulary.WriteUnknown(sources[i], tokens[written..]);
        }
        return written;
    }
}
