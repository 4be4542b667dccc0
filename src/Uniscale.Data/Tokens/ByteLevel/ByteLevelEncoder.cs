using System.Buffers;

namespace Uniscale.Data;

/// <summary>
/// Encodes text by the rules of a tokenizer.json: added tokens are cut out, the rest is rewritten, falls into words, and a word's bytes are
/// merged; its tokens are remembered. Belongs to one thread at a time; nothing is allocated for a token once its buffers have grown.
/// </summary>
internal sealed class ByteLevelEncoder(ByteLevelRules rules)
{
    private const int FlushedTokens = 4096;

    private readonly WordCache _cache = new();
    private readonly SymbolMerger _merger = new(rules.Vocabulary.Merges);
    private readonly ArrayBufferWriter<byte>[] _rewritten = [new(), new()]; // taken in turn
    private readonly List<(int Start, int End)>[] _pieces = [.. rules.Splits.Select(_ => new List<(int, int)>())];
    private readonly ArrayBufferWriter<byte>[] _spaced = [.. rules.Splits.Select(_ => new ArrayBufferWriter<byte>())];
    private int[] _tokens = new int[2 * FlushedTokens];
    private int _count;

    /// <summary>Encodes valid UTF-8.</summary>
    /// <param name="text">The text.</param>
    /// <param name="added">The tokens to look for before the text is rewritten.</param>
    /// <param name="addedLater">And after.</param>
    /// <param name="output">Receives the tokens.</param>
    public void Encode(ReadOnlySpan<byte> text, AddedTokens added, AddedTokens addedLater, IBufferWriter<int> output)
    {
        for (int at = 0; at < text.Length;)
        {
            var token = added.Find(text, at, out int start, out int end);
            EncodeBetween(Rewrite(text[at..start]), addedLater, output);
            Add(token, output);
            at = end;
        }
        Flush(output);
    }

    private void EncodeBetween(ReadOnlySpan<byte> text, AddedTokens added, IBufferWriter<int> output)
    {
        for (int at = 0; at < text.Length;)
        {
            var token = added.Find(text, at, out int start, out int end);
            if (start > at)
                Split(text[at..start], 0, output);
            Add(token, output);
            at = end;
        }
    }

    private ReadOnlySpan<byte> Rewrite(ReadOnlySpan<byte> text)
    {
        int turn = 0;
        foreach (var rewrite in rules.Rewrites)
        {
            if (text.IsEmpty || rewrite.Keeps(text))
                continue;
            var output = _rewritten[turn++ % 2];
            output.ResetWrittenCount();
            rewrite.Write(text, output);
            text = output.WrittenSpan;
        }
        return text;
    }

    private void Split(ReadOnlySpan<byte> text, int step, IBufferWriter<int> output)
    {
        if (step == rules.Splits.Count)
        {
            EncodeWord(text, 0, text.Length, output);
            return;
        }
        var split = rules.Splits[step];
        if (split.AddsSpace && text[0] != ' ')
        {
            var spaced = _spaced[step];
            spaced.ResetWrittenCount();
            spaced.Write(" "u8);
            spaced.Write(text);
            text = spaced.WrittenSpan;
        }
        if (split.Pattern is null)
        {
            Split(text, step + 1, output);
            return;
        }
        var pieces = _pieces[step];
        split.Split(text, pieces);
        bool isLast = step + 1 == rules.Splits.Count;
        foreach ((int start, int end) in pieces)
        {
            if (isLast)
                EncodeWord(text, start, end - start, output);
            else
                Split(text[start..end], step + 1, output);
        }
    }

    private void EncodeWord(ReadOnlySpan<byte> text, int start, int length, IBufferWriter<int> output)
    {
        int room = Math.Max(length, WordCache.MostTokens);
        if (_count + room > _tokens.Length)
        {
            Flush(output);
            if (room > _tokens.Length)
                _tokens = new int[Math.Max(room, 2 * _tokens.Length)];
        }
        var tokens = _tokens.AsSpan(_count);
        if (length > WordCache.MostBytes)
        {
            _count += Merge(text.Slice(start, length), tokens);
            return;
        }
        ref var entry = ref _cache.Find(text, start, length, out bool isThere);
        if (isThere)
        {
            _count += entry.Write(tokens);
            return;
        }
        int count = Merge(text.Slice(start, length), tokens);
        entry.Set(tokens[..count]);
        _count += count;
    }

    private int Merge(ReadOnlySpan<byte> word, Span<int> tokens)
    {
        var vocabulary = rules.Vocabulary;
        if (vocabulary.IgnoresMerges && vocabulary.WholeWord(word) is >= 0 and var whole)
        {
            tokens[0] = whole;
            return 1;
        }
        _merger.Reserve(word.Length);
        var symbols = _merger.Symbols;
        int count = 0;
        bool afterUnknown = false;
        foreach (byte value in word)
        {
            int symbol = vocabulary.OfByte(value);
            bool isUnknown = symbol < 0;
            if (!isUnknown || !afterUnknown || !vocabulary.FusesUnknown)
                symbols[count++] = isUnknown ? vocabulary.UnknownId : symbol;
            afterUnknown = isUnknown;
        }
        count = _merger.Merge(count);
        symbols[..count].CopyTo(tokens);
        return count;
    }

    private void Add(AddedToken? token, IBufferWriter<int> output)
    {
        if (token is null)
            return;
        if (_count == _tokens.Length)
            Flush(output);
        _tokens[_count++] = token.Id;
    }

    private void Flush(IBufferWriter<int> output)
    {
        output.Write(_tokens.AsSpan(0, _count));
        _count = 0;
    }
}
