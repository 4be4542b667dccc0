using System.Buffers;
using System.Collections.Concurrent;
using System.Text;
using System.Text.Unicode;
using Uniscale.Configuration;

namespace Uniscale.Data;

/// <summary>
/// A byte-level BPE model as Hugging Face's tokenizer.json has it: the ids that its library tokenizers gives. A text that spells a special
/// token is text (decision 0291).
/// </summary>
internal sealed class ByteLevelTokenizer : Tokenizer
{
    private readonly ByteLevelRules _rules;
    private readonly (AddedTokens Before, AddedTokens After) _plain;
    private readonly (AddedTokens Before, AddedTokens After) _special;
    private readonly Piece[] _pieces;
    private readonly byte[][] _bytes; // what each token writes
    private readonly ConcurrentBag<(ByteLevelEncoder Encoder, ArrayBufferWriter<byte> Repaired)> _pool = [];

    private ByteLevelTokenizer(string path, byte[] bytes, ByteLevelRules rules, SpecialNames names)
        : base(path)
    {
        _rules = rules;
        _plain = (Matcher(later: false, special: false), Matcher(later: true, special: false));
        _special = (Matcher(later: false, special: true), Matcher(later: true, special: true));
        var ids = rules.Vocabulary.Ids.Select(entry => entry.Value).Concat(rules.Added.Select(token => token.Id));
        Size = ids.Append(-1).Max() + 1;
        (_pieces, _bytes) = (new Piece[Size], new byte[Size][]);
        Array.Fill(_pieces, new Piece("", 0, PieceKind.Unused));
        Array.Fill(_bytes, []);
        foreach ((string text, int id) in rules.Vocabulary.Ids)
            SetPiece(id, text, ByteAlphabet.BytesOf(text) ?? Encoding.UTF8.GetBytes(text));
        foreach (var token in rules.Added)
        {
            byte[] text = token.IsSpecial ? [] : Encoding.UTF8.GetBytes(token.Content);
            (_pieces[token.Id], _bytes[token.Id]) = (
                new Piece(token.Content, 0, token.IsSpecial ? PieceKind.Control : PieceKind.Normal),
                text
            );
        }
        UnknownId = rules.Vocabulary.UnknownId;
        (BeginId, EndId, PaddingId) = (IdOfSpecial(names.Begin), IdOfSpecial(names.End), IdOfSpecial(names.Padding));
        // No text has padding: a token for it, which other programs add, changes no shard.
        Fingerprint = FingerprintOf([.. bytes, .. Encoding.UTF8.GetBytes($"{BeginId} {EndId}")]);
        Symbols = [.. rules.Added.Where(token => !token.IsSpecial).Select(token => token.Content)];
    }

    public override bool TakesMarkForSpace => false;

    /// <summary>Whether a file may be a tokenizer.json: it begins as an object of JSON does.</summary>
    public static bool IsOne(ReadOnlySpan<byte> bytes) => bytes.TrimStart("\uFEFF \t\r\n"u8) is [(byte)'{', ..];

    /// <summary>Reads a model.</summary>
    /// <param name="path">Its file; a tokenizer_config.json beside it says which tokens begin and end texts.</param>
    /// <param name="bytes">What the file holds.</param>
    public static ByteLevelTokenizer Read(string path, byte[] bytes)
    {
        try
        {
            var rules = TokenizerJson.Read(bytes.AsSpan().StartsWith("\uFEFF"u8) ? bytes[3..] : bytes);
            return new ByteLevelTokenizer(path, bytes, rules, SpecialNames.Of(path, rules));
        }
        catch (FormatException error)
        {
            throw new UserErrorException(
                $"{path} is no tokenizer.json that Uniscale can follow to the letter: it has {Shown(error.Message)}; give a byte-level BPE model without that, or a SentencePiece model.",
                error
            );
        }
    }

    public override void Encode(ReadOnlySpan<byte> utf8, bool continues, IBufferWriter<int> output) => Encode(utf8, _plain, output);

    private protected override void EncodeWithSpecials(ReadOnlySpan<byte> utf8, IBufferWriter<int> output) =>
        Encode(utf8, _special, output);

    /// <summary>A text is looked at as a whole: there is no place that every pattern allows to cut at.</summary>
    public override int LastCut(ReadOnlySpan<byte> utf8) => 0;

    public override Piece PieceOf(int id) =>
        (uint)id < (uint)Size
            ? _pieces[id]
            : throw new ArgumentOutOfRangeException(nameof(id), $"Token {id} is outside the vocabulary of {Size}.");

    public override int IdOf(string piece) =>
        _rules.Added.FirstOrDefault(token => token.Content == piece)?.Id ?? _rules.Vocabulary.Ids.GetValueOrDefault(piece, UnknownId);

    public override int[] ByteLengths() => [.. _bytes.Select(bytes => bytes.Length)];

    protected override string DecodeKnown(ReadOnlySpan<int> tokens)
    {
        var text = new ArrayBufferWriter<byte>(Math.Max(16, 8 * tokens.Length));
        foreach (int token in tokens)
            text.Write(_bytes[token]);
        return Encoding.UTF8.GetString(text.WrittenSpan);
    }

    public override string DecodeWithin(ReadOnlySpan<int> tokens) => Decode(tokens);

    private void Encode(ReadOnlySpan<byte> utf8, (AddedTokens Before, AddedTokens After) added, IBufferWriter<int> output)
    {
        if (utf8.IsEmpty)
            return;
        if (!_pool.TryTake(out var held))
            held = (new ByteLevelEncoder(_rules), new ArrayBufferWriter<byte>());
        if (!Utf8.IsValid(utf8))
        {
            held.Repaired.ResetWrittenCount();
            Repair(utf8, held.Repaired);
            utf8 = held.Repaired.WrittenSpan;
        }
        held.Encoder.Encode(utf8, added.Before, added.After, output);
        _pool.Add(held);
    }

    /// <summary>What a file says, in a line that is not too long.</summary>
    private static string Shown(string message)
    {
        const int Most = 300;
        string line = string.Concat(message.Select(c => char.IsControl(c) || c is '\u2028' or '\u2029' ? $"\\u{(int)c:X4}" : c.ToString()));
        return line.Length <= Most ? line : line[..Most] + "...";
    }

    private static void Repair(ReadOnlySpan<byte> utf8, ArrayBufferWriter<byte> output)
    {
        while (!utf8.IsEmpty)
        {
            bool isWhole = Rune.DecodeFromUtf8(utf8, out _, out int length) == OperationStatus.Done;
            output.Write(isWhole ? utf8[..length] : "\uFFFD"u8);
            utf8 = utf8[length..];
        }
    }

    private AddedTokens Matcher(bool later, bool special) =>
        new(
            _rules
                .Added.Where(token => token.IsNormalized == later && (special || !token.IsSpecial))
                .Select(token => (later ? Rewritten(token.Content) : token.Content, token))
        );

    private string Rewritten(string text)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        foreach (var rewrite in _rules.Rewrites)
        {
            var output = new ArrayBufferWriter<byte>();
            rewrite.Write(utf8, output);
            utf8 = output.WrittenSpan.ToArray();
        }
        return Encoding.UTF8.GetString(utf8);
    }

    private void SetPiece(int id, string text, byte[] bytes)
    {
        _bytes[id] = bytes;
        _pieces[id] = new Piece(
            text,
            0,
            id == _rules.Vocabulary.UnknownId ? PieceKind.Unknown
                : Utf8.IsValid(bytes) ? PieceKind.Normal
                : PieceKind.Byte
        );
    }

    private int IdOfSpecial(string? name) =>
        name is null ? -1
        : _rules.Added.FirstOrDefault(token => token.Content == name) is { } token ? token.Id
        : _rules.Vocabulary.Ids.GetValueOrDefault(name, -1);
}
