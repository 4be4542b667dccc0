using System.Buffers;
using System.Text;

namespace Uniscale.Data;

/// <summary>
/// What a SentencePiece model does to a text before it looks for pieces (normalizer.cc): characters are rewritten, spaces removed, a space
/// added; user-defined symbols are left
/// alone, a byte that is no UTF-8 becomes U+FFFD. A space stays one here: the encoder takes it for U+2581.
/// </summary>
internal sealed class TextNormalizer
{
    private readonly ModelFile _model;
    private readonly RewritingTable? _table;
    private readonly List<byte[]>?[] _symbols = new List<byte[]>?[256]; // by their first byte, the longest first

    /// <param name="model">The model.</param>
    /// <param name="table">Its table of rewriting; null where it has none.</param>
    public TextNormalizer(ModelFile model, RewritingTable? table)
    {
        (_model, _table) = (model, table);
        var symbols = model
            .Pieces.Where(piece => piece.Type == ModelPieceType.UserDefined && !piece.Utf8.IsEmpty)
            .Select(piece => piece.Utf8.ToArray());
        foreach (var group in symbols.GroupBy(symbol => symbol[0]))
            _symbols[group.Key] = [.. group.OrderByDescending(symbol => symbol.Length)];
    }

    /// <summary>Valid text is changed by nothing but a space in front.</summary>
    public bool IsPlain => _table is null && !_model.RemovesSpaces && !_model.HasSuffix;

    /// <summary>Writes the text that is to be encoded.</summary>
    /// <param name="text">Bytes of any kind.</param>
    /// <param name="continues">No space is added in front.</param>
    /// <param name="output">Receives it.</param>
    public void Normalize(ReadOnlySpan<byte> text, bool continues, ArrayBufferWriter<byte> output)
    {
        bool removes = _model.RemovesSpaces,
            afterSpace = removes;
        if (removes)
            while (Next(text, out var first) is > 0 and var length && first.SequenceEqual(" "u8))
                text = text[length..];
        if (text.IsEmpty)
            return;
        if (_model is { AddsPrefix: true, HasSuffix: false } && !continues)
            output.Write(" "u8);
        while (!text.IsEmpty)
        {
            text = text[Next(text, out var becomes)..];
            if (afterSpace)
                becomes = becomes.TrimStart((byte)' ');
            output.Write(becomes);
            if (!becomes.IsEmpty)
                afterSpace = removes && becomes[^1] == ' ';
        }
        if (removes)
            RemoveTrailing(output);
        if (_model is { AddsPrefix: true, HasSuffix: true })
            output.Write(" "u8);
    }

    /// <summary>
    /// Takes spaces from the end; a space that was added in front too where nothing else is left, and U+2581, which stands for one.
    /// </summary>
    private void RemoveTrailing(ArrayBufferWriter<byte> output)
    {
        var kept = output.WrittenSpan;
        while (true)
        {
            if (kept.EndsWith(" "u8))
                kept = kept[..^1];
            else if (_model.EscapesSpaces && kept.EndsWith(Tokenizer.SpaceMark))
                kept = kept[..^Tokenizer.SpaceMark.Length];
            else
                break;
        }
        int length = kept.Length;
        if (length == output.WrittenCount)
            return;
        byte[] copy = kept.ToArray();
        output.ResetWrittenCount();
        output.Write(copy);
    }

    /// <summary>The next stretch of a text and what it becomes.</summary>
    /// <returns>Its bytes.</returns>
    private int Next(ReadOnlySpan<byte> text, out ReadOnlySpan<byte> becomes)
    {
        becomes = [];
        if (text.IsEmpty)
            return 0;
        foreach (byte[] symbol in _symbols[text[0]] ?? [])
        {
            if (text.StartsWith(symbol))
            {
                becomes = text[..symbol.Length];
                return symbol.Length;
            }
        }
        if (_table?.Match(text, out becomes) is > 0 and var rewritten)
            return rewritten;
        if (Rune.DecodeFromUtf8(text, out _, out int length) == OperationStatus.Done)
        {
            becomes = text[..length];
            return length;
        }
        becomes = "\uFFFD"u8;
        return 1;
    }
}
