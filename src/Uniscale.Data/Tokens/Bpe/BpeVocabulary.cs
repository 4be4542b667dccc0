using System.Globalization;
using System.Text;
using System.Text.Unicode;

namespace Uniscale.Data;

/// <summary>
/// The vocabulary of a SentencePiece BPE model as the encoder needs it. A symbol is what two neighbours are looked up by: the id of an
/// entry; a number from
/// <see cref="Size"/> on for a character that occurs within entries and is none; below zero for what never merges.
/// </summary>
internal sealed class BpeVocabulary
{
    /// <summary>The symbol of a character that no entry holds.</summary>
    public const int UnknownSymbol = -1;

    private const int SpaceMark = 0x2581;

    private readonly int[] _planeZero = new int[1 << 16]; // symbols of the characters below U+10000
    private readonly Dictionary<int, int> _others = [];
    private readonly Dictionary<int, (int[] Characters, int Id)[]> _userDefined;
    private readonly int[] _bytes;
    private readonly int _space;

    private BpeVocabulary(ModelFile model, Dictionary<string, int> pieces, int[] bytes)
    {
        (Size, UnknownId, HasBytes, _bytes) = (
            model.Pieces.Count,
            model.Pieces.ToList().FindIndex(piece => piece.Type == ModelPieceType.Unknown),
            model.HasBytes,
            bytes
        );
        _space = model.EscapesSpaces ? SpaceMark : ' ';
        // In a text that is looked at every space is U+2581: what holds a plain one never occurs.
        var reachable = pieces.Where(piece => !model.EscapesSpaces || !piece.Key.Contains(' ', StringComparison.Ordinal)).ToDictionary();
        var characters = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach ((string piece, int id) in reachable)
            foreach (var rune in piece.EnumerateRunes())
                characters.TryAdd(rune.ToString(), reachable.GetValueOrDefault(rune.ToString(), Size + characters.Count));
        SetCharacters(characters);
        _userDefined = reachable
            .Where(piece => model.Pieces[piece.Value].Type == ModelPieceType.UserDefined)
            .Select(piece => (Characters: (int[])[.. piece.Key.EnumerateRunes().Select(rune => rune.Value)], Id: piece.Value))
            .GroupBy(symbol => symbol.Characters[0])
            .ToDictionary(group => group.Key, group => group.OrderByDescending(symbol => symbol.Characters.Length).ToArray());
        Merges = new MergeTable(MergesOf(model, reachable, characters));
        Adjacent = new Adjacency(PairsOf(reachable.Keys));
    }

    /// <summary>Number of entries.</summary>
    public int Size { get; }

    public int UnknownId { get; }

    /// <summary>Characters outside the vocabulary become bytes; without, a run of them becomes one unknown token.</summary>
    public bool HasBytes { get; }

    public MergeTable Merges { get; }

    public Adjacency Adjacent { get; }

    /// <summary>What a space is looked up as.</summary>
    public int Space => _space;

    /// <summary>
    /// A model's vocabulary; null where the model is of another kind, or has what is left to the library: entries out of use, names that
    /// are not unique.
    /// </summary>
    public static BpeVocabulary? Of(ModelFile model)
    {
        if (!model.IsBpe || model.Pieces.Count(piece => piece.Type == ModelPieceType.Unknown) != 1)
            return null;
        var pieces = new Dictionary<string, int>(StringComparer.Ordinal);
        var names = new HashSet<string>(StringComparer.Ordinal);
        int[] bytes = new int[256];
        Array.Fill(bytes, -1);
        for (int id = 0; id < model.Pieces.Count; id++)
        {
            (var utf8, float score, var type) = model.Pieces[id];
            if (utf8.IsEmpty || !Utf8.IsValid(utf8.Span) || float.IsNaN(score) || type is ModelPieceType.Unused || !Enum.IsDefined(type))
                return null;
            string text = Encoding.UTF8.GetString(utf8.Span);
            if (!names.Add(text))
                return null;
            if (type is ModelPieceType.Normal or ModelPieceType.UserDefined)
                pieces.Add(text, id);
            else if (text.EnumerateRunes().Count() == 1)
                return null; // a character that would be a control token
            else if (
                type == ModelPieceType.Byte
                && text.StartsWith("<0x", StringComparison.Ordinal)
                && text.Length == 6
                && byte.TryParse(text.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte value)
            )
                bytes[value] = id;
        }
        return model.HasBytes && bytes.Contains(-1) ? null : new BpeVocabulary(model, pieces, bytes);
    }

    /// <summary>The symbol of a character.</summary>
    public int SymbolOf(int character) =>
        character < _planeZero.Length ? _planeZero[character] : _others.GetValueOrDefault(character, UnknownSymbol);

    /// <summary>The longest user-defined symbol at the beginning of characters; it merges with nothing.</summary>
    /// <returns>Its length, 0 where there is none.</returns>
    public int UserDefinedAt(ReadOnlySpan<int> characters, out int id)
    {
        id = 0;
        if (_userDefined.Count == 0 || !_userDefined.TryGetValue(characters[0], out var symbols))
            return 0;
        foreach ((int[] symbol, int symbolId) in symbols)
        {
            if (!characters.StartsWith(symbol))
                continue;
            id = symbolId;
            return symbol.Length;
        }
        return 0;
    }

    /// <summary>Writes the tokens of a character that is no entry: its bytes, or one unknown token.</summary>
    /// <returns>Their number.</returns>
    public int WriteUnknown(int character, Span<int> tokens)
    {
        if (!HasBytes)
        {
            tokens[0] = UnknownId;
            return 1;
        }
        Span<byte> utf8 = stackalloc byte[4];
        int length = new Rune(character).EncodeToUtf8(utf8);
        for (int i = 0; i < length; i++)
            tokens[i] = _bytes[utf8[i]];
        return length;
    }

    private void SetCharacters(Dictionary<string, int> characters)
    {
        Array.Fill(_planeZero, UnknownSymbol);
        foreach ((string text, int symbol) in characters)
        {
            int character = Rune.GetRuneAt(text, 0).Value;
            if (character < _planeZero.Length)
                _planeZero[character] = symbol;
            else
                _others[character] = symbol;
        }
        _planeZero[' '] = _planeZero[_space];
    }

    private static List<(int Left, int Right, int Merged, int Rank)> MergesOf(
        ModelFile model,
        Dictionary<string, int> pieces,
        Dictionary<string, int> characters
    )
    {
        float[] scores = [.. pieces.Values.Select(id => model.Pieces[id].Score).Distinct().OrderDescending()];
        var ranks = scores.Select((score, rank) => (score, rank)).ToDictionary(entry => entry.score, entry => entry.rank);
        var symbols = new Dictionary<string, int>(characters, StringComparer.Ordinal);
        foreach ((string piece, int id) in pieces)
            symbols[piece] = id;
        var byText = symbols.GetAlternateLookup<ReadOnlySpan<char>>();
        var merges = new List<(int, int, int, int)>();
        foreach ((string piece, int id) in pieces)
            for (int cut = 1; cut < piece.Length; cut++)
                if (byText.TryGetValue(piece.AsSpan(0, cut), out int left) && byText.TryGetValue(piece.AsSpan(cut), out int right))
                    merges.Add((left, right, id, ranks[model.Pieces[id].Score]));
        return merges;
    }

    /// <summary>Neighbours within entries, as they stand in a text: with a space for U+2581 too.</summary>
    private HashSet<(int Before, int After)> PairsOf(IEnumerable<string> pieces)
    {
        var pairs = new HashSet<(int, int)>();
        foreach (string piece in pieces)
        {
            int before = -1;
            foreach (var rune in piece.EnumerateRunes())
            {
                if (before >= 0)
                    pairs.Add((before, rune.Value));
                before = rune.Value;
            }
        }
        int Raw(int character) => character == _space ? ' ' : character;
        foreach ((int before, int after) in pairs.ToArray())
            pairs.UnionWith([(Raw(before), Raw(after)), (Raw(before), after), (before, Raw(after))]);
        return pairs;
    }
}
