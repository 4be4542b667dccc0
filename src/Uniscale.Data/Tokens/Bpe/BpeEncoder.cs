using System.Buffers;
using System.Text;

namespace Uniscale.Data;

/// <summary>
/// Encodes text with a SentencePiece BPE model into exactly SentencePiece's tokens: the text falls into words where no entry of the
/// vocabulary reaches across (<see cref="Adjacency"/>),
/// and a word's tokens are remembered. Belongs to one thread at a time; nothing is allocated once its buffers have grown.
/// </summary>
internal sealed class BpeEncoder(BpeVocabulary vocabulary)
{
    /// <summary>Tokens asked of the output at once.</summary>
    private const int RoomTokens = 4096;

    private readonly WordCache _cache = new();
    private readonly BpeMerger _merger = new(vocabulary);

    /// <summary>Encodes valid UTF-8.</summary>
    /// <param name="text">The text; a space and U+2581 are the same where the model says so.</param>
    /// <param name="hasSpace">A space is in front of it that is not in the text.</param>
    /// <param name="output">Receives the tokens.</param>
    public void Encode(ReadOnlySpan<byte> text, bool hasSpace, IBufferWriter<int> output)
    {
        Span<int> tokens = [];
        int written = 0;
        bool afterUnknown = false;
        for (int start = 0; start < text.Length || hasSpace;)
        {
            int end = hasSpace && (text.IsEmpty || !Joins(text)) ? start : EndOfWord(text, start);
            int room = Math.Max(WordCache.MostTokens, 3 * (end - start + 1)); // a space can be three bytes
            if (written + room > tokens.Length)
            {
                output.Advance(written);
                tokens = output.GetSpan(Math.Max(room, RoomTokens));
                written = 0;
            }
            var word = tokens[written..];
            int count =
                hasSpace || end - start > WordCache.MostBytes
                    ? _merger.Encode(text[start..end], hasSpace, word)
                    : Known(text, start, end - start, word);
            if (!vocabulary.HasBytes && count > 0)
            {
                // A run of unknown characters is one token, across words too.
                if (afterUnknown && word[0] == vocabulary.UnknownId)
                    word[1..count--].CopyTo(word);
                afterUnknown = count > 0 ? word[count - 1] == vocabulary.UnknownId : afterUnknown;
            }
            written += count;
            (start, hasSpace) = (end, false);
        }
        output.Advance(written);
    }

    /// <summary>The last place at which a text that goes on beyond what is seen of it may be cut; 0: there is none.</summary>
    public static int LastCut(BpeVocabulary vocabulary, ReadOnlySpan<byte> text)
    {
        for (int at = text.Length - 5; at >= 1; at--)
        {
            if ((text[at] & 0xC0) == 0x80)
                continue; // within a character
            Rune.DecodeLastFromUtf8(text[..at], out var before, out _);
            Rune.DecodeFromUtf8(text[at..], out var after, out _);
            if (
                !vocabulary.Adjacent.MayJoin(before.Value, after.Value)
                && (vocabulary.HasBytes || IsKnown(vocabulary, before.Value) || IsKnown(vocabulary, after.Value))
            )
                return at;
        }
        return 0;
    }

    private static bool IsKnown(BpeVocabulary vocabulary, int character) => (uint)vocabulary.SymbolOf(character) < (uint)vocabulary.Size;

    private bool Joins(ReadOnlySpan<byte> text)
    {
        Utf8Character.Decode(text, 0, out int first);
        return vocabulary.Adjacent.MayJoin(vocabulary.Space, first);
    }

    private int EndOfWord(ReadOnlySpan<byte> text, int start)
    {
        var adjacent = vocabulary.Adjacent;
        int at = start + Utf8Character.Decode(text, start, out int before);
        while (at < text.Length)
        {
            int length = Utf8Character.Decode(text, at, out int after);
            if (!adjacent.MayJoin(before, after))
                break;
            at += length;
            before = after;
        }
        return at;
    }

    private int Known(ReadOnlySpan<byte> text, int start, int length, Span<int> tokens)
    {
        ref var entry = ref _cache.Find(text, start, length, out bool isThere);
        if (isThere)
            return entry.Write(tokens);
        int count = _merger.Encode(text.Slice(start, length), hasSpace: false, tokens);
        entry.Set(tokens[..count]);
        return count;
    }
}
