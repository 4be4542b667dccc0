using System.Buffers;
using System.Collections.Concurrent;
using System.Text.Unicode;

namespace Uniscale.Data;

/// <summary>
/// A SentencePiece BPE model that encodes without the library. Safe to use from several threads: each call takes an encoder, with its
/// cache, from a pool.
/// </summary>
internal sealed class BpeModel
{
    private readonly BpeVocabulary _vocabulary;
    private readonly TextNormalizer _normalizer;
    private readonly bool _addsSpace;
    private readonly ConcurrentBag<(BpeEncoder Encoder, ArrayBufferWriter<byte> Normalized)> _pool = [];

    private BpeModel(BpeVocabulary vocabulary, ModelFile file, RewritingTable? table) =>
        (_vocabulary, _normalizer, _addsSpace) = (vocabulary, new TextNormalizer(file, table), file.AddsPrefix);

    /// <summary>The model of a file; null where it is left to the library.</summary>
    public static BpeModel? Of(ModelFile file, RewritingTable? table) =>
        BpeVocabulary.Of(file) is { } vocabulary ? new BpeModel(vocabulary, file, table) : null;

    /// <summary>Encodes a text that is not empty.</summary>
    /// <param name="utf8">The text.</param>
    /// <param name="continues">It goes on behind a place given by <see cref="LastCut"/>.</param>
    /// <param name="output">Receives the tokens.</param>
    public void Encode(ReadOnlySpan<byte> utf8, bool continues, IBufferWriter<int> output)
    {
        if (!_pool.TryTake(out var held))
            held = (new BpeEncoder(_vocabulary), new ArrayBufferWriter<byte>());
        if (_normalizer.IsPlain && Utf8.IsValid(utf8))
        {
            held.Encoder.Encode(utf8, _addsSpace && !continues, output);
        }
        else
        {
            held.Normalized.ResetWrittenCount();
            _normalizer.Normalize(utf8, continues, held.Normalized);
            held.Encoder.Encode(held.Normalized.WrittenSpan, hasSpace: false, output);
        }
        _pool.Add(held);
    }

    /// <summary>
    /// The last place at which a text that goes on may be cut; 0: there is none, or the model looks at texts as a whole before it encodes.
    /// </summary>
    public int LastCut(ReadOnlySpan<byte> utf8) => _normalizer.IsPlain ? BpeEncoder.LastCut(_vocabulary, utf8) : 0;
}
