using System.Buffers;
using System.IO.Hashing;
using Uniscale.Data;

namespace Uniscale.Corpus;

/// <summary>
/// Parts of documents that one worker encodes at once: text copied together, later tokens with the places where documents begin and end.
/// </summary>
internal sealed class TokenizedBatch
{
    /// <summary>A batch is full with this many bytes.</summary>
    public const int FullBytes = 512 << 10;

    /// <summary>Bytes at the beginning of a document that decide whether it is set aside for validation.</summary>
    private const int DigestedBytes = 4096;

    private readonly List<Part> _parts = [];
    private readonly ArrayBufferWriter<int> _tokens = new();
    private byte[]? _text = ArrayPool<byte>.Shared.Rent(FullBytes + (FullBytes >> 1));
    private int _bytes;

    /// <summary>Where a part's text and tokens end, and what it begins and ends.</summary>
    internal record struct Part(
        int TextEnd,
        bool IsFirst,
        bool IsLast,
        bool IsValidation = false,
        int TokenEnd = 0,
        bool HasSpaceMark = false
    );

    public bool IsFull => _bytes >= FullBytes;

    public int Bytes => _bytes;

    /// <summary>Copies a part into the batch.</summary>
    public void Add(DocumentPart part)
    {
        if (_bytes + part.Text.Length > _text!.Length)
        {
            byte[] larger = ArrayPool<byte>.Shared.Rent(_bytes + part.Text.Length);
            _text.AsSpan(0, _bytes).CopyTo(larger);
            ArrayPool<byte>.Shared.Return(_text);
            _text = larger;
        }
        part.Text.Span.CopyTo(_text.AsSpan(_bytes));
        _bytes += part.Text.Length;
        _parts.Add(new Part(_bytes, part.IsFirst, part.IsLast));
    }

    /// <summary>Turns the text into tokens, each document ended by the model's separator.</summary>
    /// <param name="tokenizer">The model.</param>
    /// <param name="validation">Share of documents set aside, chosen by a digest of their beginning.</param>
    public TokenizedBatch Encode(Tokenizer tokenizer, double validation)
    {
        int start = 0;
        for (int i = 0; i < _parts.Count; i++)
        {
            var part = _parts[i];
            ReadOnlySpan<byte> text = _text.AsSpan(start, part.TextEnd - start);
            tokenizer.Encode(text, continues: !part.IsFirst, _tokens);
            if (part.IsLast)
            {
                _tokens.GetSpan(1)[0] = tokenizer.EndId;
                _tokens.Advance(1);
            }
            ulong digest = XxHash3.HashToUInt64(text[..Math.Min(text.Length, DigestedBytes)]);
            _parts[i] = part with
            {
                IsValidation = part.IsFirst && digest < validation * ulong.MaxValue,
                TokenEnd = _tokens.WrittenCount,
                HasSpaceMark = tokenizer.TakesMarkForSpace && text.IndexOf(Tokenizer.SpaceMark) >= 0,
            };
            start = part.TextEnd;
        }
        ArrayPool<byte>.Shared.Return(_text!);
        _text = null;
        return this;
    }

    /// <summary>The parts in order, each with its tokens.</summary>
    public void ForEach(Action<Part, ReadOnlyMemory<int>> action)
    {
        int start = 0;
        foreach (var part in _parts)
        {
            action(part, _tokens.WrittenMemory[start..part.TokenEnd]);
            start = part.TokenEnd;
        }
    }
}
