using Uniscale.Engine.Decoding;
using Uniscale.Engine.Model;
using Uniscale.Engine.Parallel.Sequences;
using Uniscale.Engine.Tests.Goldens;
using Uniscale.Engine.Tests.Support;
using Uniscale.Kernels;
using Uniscale.Kernels.Cpu;
using Uniscale.Kernels.Tests.Support;
using static TorchSharp.torch;

namespace Uniscale.Engine.Tests.Model;

public sealed class DecoderTests
{
    [Theory]
    [InlineData("gpt2")]
    [InlineData("internlm2")]
    public void EveryPositionHasTheLogitsOfTheWholeSequence(string preset)
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenFile(preset);
        using var decoder = DecoderOf(preset, golden);
        int[] tokens = TokensOf(golden);
        using var cache = new KeyValueCache(tokens.Length);

        Check(Read(decoder, cache, tokens.AsMemory(0, 5)), 4);
        for (int i = 5; i < tokens.Length; i++)
            Check(Read(decoder, cache, tokens.AsMemory(i, 1)), i);
        cache.Truncate(3);
        Check(Read(decoder, cache, tokens.AsMemory(3, 8)), 10);
        Assert.Equal(11, cache.Length);

        void Check(float[] logits, int position) =>
            Closeness.AssertClose($"logits at {position}", from_array(logits), golden["fp32/logits"][0][position], 1e-5);
    }

    /// <summary>All at once, one by one, in parts, from a copied beginning, alone and beside others: the very same numbers.</summary>
    [Theory]
    [InlineData("gpt2")]
    [InlineData("internlm2")]
    public void ASequenceHasTheSameBitsHoweverItIsRead(string preset)
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenFile(preset);
        using var decoder = DecoderOf(preset, golden);
        int[] tokens = TokensOf(golden);
        var whole = new List<float[]>();
        using var cache = new KeyValueCache(tokens.Length);
        decoder.Read([new SequencePart(cache, tokens, tokens.Length)], (_, _, logits) => whole.Add(logits.ToArray()));

        using var single = new KeyValueCache(tokens.Length);
        for (int i = 0; i < tokens.Length; i++)
            Assert.Equal(whole[i], Read(decoder, single, tokens.AsMemory(i, 1)));

        using var copied = new KeyValueCache(tokens.Length);
        copied.CopyFrom(single, 7);
        using KeyValueCache first = new(tokens.Length),
            second = new(tokens.Length);
        var rows = new Dictionary<(int, int), float[]>();
        decoder.Read(
            [
                new SequencePart(first, tokens.AsMemory(0, 3)),
                new SequencePart(copied, tokens.AsMemory(7), 2),
                new SequencePart(second, tokens.AsMemory(0, 9), 9),
            ],
            (part, index, logits) => rows[(part, index)] = logits.ToArray()
        );
        Assert.Equal(12, rows.Count);
        Assert.Equal(whole[2], rows[(0, 0)]);
        Assert.Equal(whole[^1], rows[(1, 1)]);
        for (int i = 0; i < 9; i++)
            Assert.Equal(whole[i], rows[(2, i)]);
    }

    /// <summary>
    /// A rank that has its model whole computes blocks without tensors between their kernels: the same bits as operation by operation,
    /// which kernels that the decoder does not know make it do.
    /// </summary>
    [Theory]
    [InlineData("gpt2", ScalarType.Float32)]
    [InlineData("llama", ScalarType.Float32)]
    [InlineData("internlm", ScalarType.Float32)]
    [InlineData("internlm2", ScalarType.Float32)]
    [InlineData("log-n", ScalarType.Float32)]
    [InlineData("one head of keys", ScalarType.Float32)]
    [InlineData("wide heads", ScalarType.BFloat16)]
    [InlineData("gpt2", ScalarType.BFloat16)]
    [InlineData("internlm2", ScalarType.BFloat16)]
    public void BlocksHaveTheBitsOfTheirOperations(string preset, ScalarType type)
    {
        using var scope = NewDisposeScope();
        var model = Presets.Small(preset) with { Context = 160, LogNContext = preset == "log-n" ? 4 : 0 };
        if (preset == "one head of keys")
            model = model with { KvHeads = 1 };
        if (preset == "wide heads")
            model = model with { HeadDim = 48 };
        var blocks = Transformer.Blocks(model, Presets.Vocabulary);
        var random = new Generator(5);
        var parameters = blocks
            .SelectMany(b => b.Parameters)
            .DistinctBy(p => p.Name)
            .ToDictionary(p => p.Name, p => (randn([.. p.Shape], generator: random) * 0.2).to(type));
        using var native = new NativeKernels(packWeights: true, batchInvariant: true);
        Decoder With(IKernels kernels) =>
            new(blocks, Of, groups: null, kernels) { Type = type, RopeBase = preset == "wide heads" ? 5000 : null };
        IReadOnlyList<Tensor> Of(Block block) => [.. block.Parameters.Select(p => parameters[p.Name])];
        Assert.All(
            blocks.OfType<TransformerBlock>(),
            block => Assert.True(DirectLayers.Takes(block, Of(block), zeros([1, 2, model.Hidden], type)))
        );
        using Decoder direct = With(native),
            operations = With(UnknownKernels.Of(native));
        var expected = Logits(operations);
        Assert.Equal(expected, Logits(direct));
        Assert.All(expected, row => Assert.All(row, value => Assert.True(float.IsFinite(value))));

        static List<float[]> Logits(Decoder decoder)
        {
            // Their room grows within the passes.
            using KeyValueCache first = new(160),
                second = new(160);
            var rows = new List<float[]>();
            void Take(int part, int index, ReadOnlySpan<float> logits) => rows.Add(logits.ToArray());
            int[] text = [.. Enumerable.Range(0, 90).Select(i => i * 7 % 53)];
            decoder.Read([new(first, text.AsMemory(0, 62), 5), new(second, text.AsMemory(20, 3), 3)], Take);
            for (int i = 0; i < 7; i++)
                decoder.Read([new(first, new[] { 9 + i }), new(second, new[] { 20 + i })], Take);
            decoder.Read([new(first, text, 2), new(second, text.AsMemory(0, 64))], Take);
            Assert.Equal(25, rows.Count);
            return rows;
        }
    }

    [Fact]
    public void AFullCacheSaysSo()
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenFile("llama");
        using var decoder = DecoderOf("llama", golden);
        using var cache = new KeyValueCache(4);
        Read(decoder, cache, new[] { 1, 2, 3 });
        Assert.Contains(
            "cache of 4",
            Assert.Throws<InvalidOperationException>(() => Read(decoder, cache, new[] { 4, 5 })).Message,
            StringComparison.Ordinal
        );
    }

    private static Decoder DecoderOf(string preset, GoldenFile golden)
    {
        var blocks = Transformer.Blocks(Presets.Small(preset), Presets.Vocabulary);
        var parameters = blocks
            .SelectMany(b => b.Parameters)
            .DistinctBy(p => p.Name)
            .ToDictionary(p => p.Name, p => golden[$"weight/{p.Name}"].to(float32).contiguous());
        return new Decoder(blocks, block => [.. block.Parameters.Select(p => parameters[p.Name])]);
    }

    private static int[] TokensOf(GoldenFile golden) => [.. golden["tokens"][0].data<long>().ToArray().Select(t => (int)t)];

    private static float[] Read(Decoder decoder, KeyValueCache cache, ReadOnlyMemory<int> tokens)
    {
        float[] last = [];
        decoder.Read([new SequencePart(cache, tokens)], (_, _, logits) => last = logits.ToArray());
        return last;
    }
}
