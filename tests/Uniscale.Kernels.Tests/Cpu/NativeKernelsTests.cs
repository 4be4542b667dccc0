using TorchSharp;
using Uniscale.Configuration;
using Uniscale.Kernels.Cpu;
using Uniscale.Kernels.Reference;
using Uniscale.Kernels.Tests.Support;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Kernels.Tests.Cpu;

/// <summary>Every native kernel against its plain twin: odd sizes, views that are not contiguous, both types.</summary>
public sealed class NativeKernelsTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly NativeKernels _native = new(packWeights: true);
    private readonly TorchKernels _twin = TorchKernels.Instance;

    public static TheoryData<ScalarType> Types => [ScalarType.Float32, ScalarType.BFloat16];

    [Theory, MemberData(nameof(Types))]
    public void Products(ScalarType type)
    {
        var x = Normal(type, 3, 5, 48)[TensorIndex.Ellipsis, TensorIndex.Slice(0, 33)];
        var (weight, bias, gradient) = (Normal(type, 17, 33), Normal(type, 17), Normal(type, 3, 5, 17));
        Same(_twin.Linear(x, weight, bias), _native.Linear(x, weight, bias));
        Same(_twin.Linear(x, weight, null), _native.Linear(x, weight, null));
        Same(_twin.LinearInputGradient(gradient, weight), _native.LinearInputGradient(gradient, weight));
        var (sum, twinSum) = (x.clone(), x.clone());
        _native.LinearInputGradient(gradient, weight, sum, add: true);
        _twin.LinearInputGradient(gradient, weight, twinSum, add: true);
        Same(twinSum, sum);
        Same(_twin.LinearWeightGradient(gradient, x), _native.LinearWeightGradient(gradient, x));
        var (expected, actual) = (ones([17, 33], ScalarType.Float32), ones([17, 33], ScalarType.Float32));
        _twin.AccumulateWeightGradient(expected, gradient, x);
        _native.AccumulateWeightGradient(actual, gradient, x);
        Same(expected, actual, type);
        var (expectedBias, actualBias) = (ones([17], ScalarType.Float32), ones([17], ScalarType.Float32));
        _twin.AccumulateWeightGradient(expected, gradient, x, expectedBias);
        _native.AccumulateWeightGradient(actual, gradient, x, actualBias);
        Same(expected, actual, type);
        Same(expectedBias, actualBias, type);
    }

    /// <summary>
    /// A row of a linear layer is the same bits whatever is computed beside it; so is a query's attention, however its sequence is read.
    /// </summary>
    [Theory, MemberData(nameof(Types))]
    public void ARowDoesNotDependOnTheBatch(ScalarType type)
    {
        using var native = new NativeKernels(packWeights: true, batchInvariant: true);
        var (x, weight) = (Normal(type, 77, 300), Normal(type, 130, 300));
        var whole = native.Linear(x, weight, null);
        Same(_twin.Linear(x, weight, null), whole);
        foreach (int rows in new[] { 1, 2, 5, 6, 7, 31, 64 })
            Assert.True(native.Linear(x.narrow(0, 3, rows).contiguous(), weight, null).Equals(whole.narrow(0, 3, rows)), $"{rows} rows");

        var (q, k, v) = (Normal(type, 1, 700, 4, 16), Normal(type, 1, 700, 2, 16), Normal(type, 1, 700, 2, 16));
        var all = native.AttentionOfSequences(q, [new SequenceKeys(700, k, v)]);
        Same(_twin.Attention(q, k, v, new AttentionMask(Causal: true), keepProbabilities: false).Output, all);
        foreach (var (first, count) in new[] { (0, 1), (0, 65), (255, 1), (256, 3), (300, 200), (511, 2), (699, 1) })
        {
            int other = 13;
            var together = cat([q.narrow(1, 40, other), q.narrow(1, first, count)], 1);
            var part = native.AttentionOfSequences(
                together,
                [
                    new SequenceKeys(other, k.narrow(1, 0, 40 + other), v.narrow(1, 0, 40 + other)),
                    new SequenceKeys(count, k.narrow(1, 0, first + count), v.narrow(1, 0, first + count)),
                ]
            );
            Assert.True(part.narrow(1, other, count).Equals(all.narrow(1, first, count)), $"queries {first} to {first + count}");
            Assert.True(part.narrow(1, 0, other).Equals(all.narrow(1, 40, other)));
        }
    }

    /// <summary>
    /// A last token alone, which generation asks for, goes another way through the kernel: the same bits as in the midst of others. Queries
    /// are large, so that the running maximum grows from tile to tile.
    /// </summary>
    [Theory]
    [InlineData(6, 6, 64, 300)]
    [InlineData(8, 1, 24, 520)]
    [InlineData(8, 2, 128, 257)]
    [InlineData(3, 3, 10, 1030)]
    [InlineData(1, 1, 80, 40)]
    public void ALastTokenAloneIsTheSame(int heads, int kvHeads, int headDim, int length)
    {
        using var native = new NativeKernels(batchInvariant: true);
        foreach (var type in new[] { ScalarType.Float32, ScalarType.BFloat16 })
        {
            var q = Normal(type, 1, length, heads, headDim) * 30;
            var (k, v) = (Normal(type, 1, length, kvHeads, headDim), Normal(type, 1, length, kvHeads, headDim));
            var all = native.AttentionOfSequences(q, [new SequenceKeys(length, k, v)]);
            int[] places = [0, 1, 7, 8, 15, 16, 17, 31, 39, 254, 255, 256, 511, 512, length - 1];
            foreach (int at in places.Where(at => at < length))
            {
                var alone = native.AttentionOfSequences(
                    q.narrow(1, at, 1).contiguous(),
                    [new SequenceKeys(1, k.narrow(1, 0, at + 1), v.narrow(1, 0, at + 1))]
                );
                Assert.True(alone.Equals(all.narrow(1, at, 1)), $"{type}, token {at}");
            }
            // Many together, which a thread takes by whole sequences, and the same beside a longer part.
            long[] ends = [.. Enumerable.Range(0, 40).Select(i => 1L + (i * 37 % length))];
            SequenceKeys Until(long end, int queries) => new(queries, k.narrow(1, 0, end), v.narrow(1, 0, end));
            Tensor[] queries = [.. ends.Select(end => q.narrow(1, end - 1, 1))];
            var many = native.AttentionOfSequences(cat(queries, 1), [.. ends.Select(end => Until(end, 1))]);
            var mixed = native.AttentionOfSequences(
                cat([.. queries, q.narrow(1, 3, 20)], 1),
                [.. ends.Select(end => Until(end, 1)), Until(23, 20)]
            );
            for (int i = 0; i < ends.Length; i++)
            {
                var expected = all.narrow(1, ends[i] - 1, 1);
                Assert.True(many.narrow(1, i, 1).Equals(expected), $"{type}, sequence {i}");
                Assert.True(mixed.narrow(1, i, 1).Equals(expected), $"{type}, sequence {i} beside a longer part");
            }
            Assert.True(mixed.narrow(1, ends.Length, 20).Equals(all.narrow(1, 3, 20)));
        }
    }

    [Theory, MemberData(nameof(Types))]
    public void WhatGoesWithAProduct(ScalarType type)
    {
        var (x, weight, bias, residual) = (Normal(type, 3, 5, 33), Normal(type, 17, 33), Normal(type, 17), Normal(type, 3, 5, 17));
        Same(_twin.Linear(x, weight, bias, residual), _native.Linear(x, weight, bias, residual));
        Same(_twin.Linear(x, weight, null, residual), _native.Linear(x, weight, null, residual));
        var (expected, actual) = (_twin.LinearGelu(x, weight, bias), _native.LinearGelu(x, weight, bias));
        Same(expected.Product, actual.Product);
        Same(expected.Activated, actual.Activated);
        Same(_native.Gelu(actual.Product), actual.Activated);
        var (gradient, pre) = (Normal(type, 3, 5, 17), Normal(type, 3, 5, 33));
        Same(_twin.LinearInputGradientBeforeGelu(gradient, weight, pre), _native.LinearInputGradientBeforeGelu(gradient, weight, pre));
    }

    [Theory, MemberData(nameof(Types))]
    public void EmptySumsAreOverwritten(ScalarType type)
    {
        var (x, gradient) = (Normal(type, 3, 5, 33), Normal(type, 3, 5, 17));
        GradientSum Damaged(params long[] shape) => new(full(shape, Scalars.Of(double.NaN), ScalarType.Float32), IsEmpty: true);
        foreach (var kernels in (IKernels[])[_twin, _native])
        {
            var (weight, bias) = (Damaged(17, 33), Damaged(17));
            kernels.AccumulateWeightGradient(weight, gradient, x, bias);
            Same(gradient.view(15, 17).t().to(ScalarType.Float32).mm(x.view(15, 33).to(ScalarType.Float32)), weight.Values, type);
            Same(gradient.sum([0L, 1], false, ScalarType.Float32), bias.Values, type);
        }
    }

    [Theory, MemberData(nameof(Types))]
    public void EmbeddingsOfAPartOfTheVocabulary(ScalarType type)
    {
        var (table, gradient) = (Normal(type, 11, 19), Normal(type, 2, 9, 19));
        var ids = arange(Scalars.Of(18), int64).view(2, 9);
        Same(_twin.Embedding(ids, table, 4, 10), _native.Embedding(ids, table, 4, 10));
        var (expected, actual) = (ones([11, 19], ScalarType.Float32), ones([11, 19], ScalarType.Float32));
        _twin.AccumulateEmbeddingGradient(expected, ids, gradient, 4, 10);
        _native.AccumulateEmbeddingGradient(actual, ids, gradient, 4, 10);
        Same(expected, actual, type);
        var (expectedLogits, actualLogits) = (empty([9, 11], ScalarType.Float32), empty([9, 11], ScalarType.Float32));
        _twin.Logits(gradient[0], table, expectedLogits);
        _native.Logits(gradient[0], table, actualLogits);
        Same(expectedLogits, actualLogits, type);
    }

    [Fact]
    public void PackedWeightsFollowTheParameterOnceToldThatItChanged()
    {
        var (x, weight) = (Normal(ScalarType.Float32, 4, 8), Normal(ScalarType.Float32, 6, 8));
        _native.Linear(x, weight, null);
        weight.mul_(Scalars.Of(2));
        _native.ParametersChanged();
        Same(_twin.Linear(x, weight, null), _native.Linear(x, weight, null));
        Assert.True(_native.PackedBytes > 0);
    }

    [Theory]
    [InlineData(ScalarType.Float32, NormKind.RmsNorm), InlineData(ScalarType.BFloat16, NormKind.RmsNorm)]
    [InlineData(ScalarType.Float32, NormKind.LayerNorm), InlineData(ScalarType.BFloat16, NormKind.LayerNorm)]
    public void Norms(ScalarType type, NormKind kind)
    {
        var (x, weight, gradient) = (Normal(type, 2, 7, 37), Normal(type, 37), Normal(type, 2, 7, 37));
        var bias = kind == NormKind.LayerNorm ? Normal(type, 37) : null;
        var (expected, actual) = (_twin.Norm(kind, x, weight, bias, 1e-5), _native.Norm(kind, x, weight, bias, 1e-5));
        Same(expected.Output, actual.Output);
        Same(expected.Scale, actual.Scale);
        var wanted = _twin.NormBackward(kind, gradient, x, weight, expected.Mean, expected.Scale);
        var got = _native.NormBackward(kind, gradient, x, weight, actual.Mean, actual.Scale);
        var carried = Normal(type, x.shape);
        Same(
            _twin.NormBackward(kind, gradient, x, weight, expected.Mean, expected.Scale, carried).Input,
            _native.NormBackward(kind, gradient, x, weight, actual.Mean, actual.Scale, carried).Input
        );
        Same(wanted.Input, got.Input);
        Same(wanted.Weight, got.Weight, type);
        if (wanted.Bias is not null)
            Same(wanted.Bias, got.Bias!, type);
    }

    [Theory, MemberData(nameof(Types))]
    public void Activations(ScalarType type)
    {
        var (gate, up, gradient) = (Normal(type, 3, 41), Normal(type, 3, 41), Normal(type, 3, 41));
        Same(_twin.Swiglu(gate, up), _native.Swiglu(gate, up));
        var (expected, actual) = (_twin.SwigluBackward(gradient, gate, up), _native.SwigluBackward(gradient, gate, up));
        Same(expected.Gate, actual.Gate);
        Same(expected.Up, actual.Up);
        Same(_twin.Gelu(gate), _native.Gelu(gate));
        Same(_twin.GeluBackward(gradient, gate), _native.GeluBackward(gradient, gate));
    }

    [Theory]
    [InlineData(ScalarType.Float32, 1), InlineData(ScalarType.BFloat16, 2)]
    public void Rotations(ScalarType type, long tables)
    {
        var x = Normal(type, 2, 5, 3, 24);
        var angles = Normal(ScalarType.Float32, tables, 5, 1, 12);
        Same(_twin.Rotate(x, angles.cos(), angles.sin(), false), _native.Rotate(x, angles.cos(), angles.sin(), false));
        Same(_twin.Rotate(x, angles.cos(), angles.sin(), true), _native.Rotate(x, angles.cos(), angles.sin(), true));
    }

    [Theory]
    [InlineData(ScalarType.Float32, 64, 2, false), InlineData(ScalarType.Float32, 10, 4, true)]
    [InlineData(ScalarType.BFloat16, 80, 1, false), InlineData(ScalarType.BFloat16, 32, 2, true)]
    public void Attention(ScalarType type, long headDim, long kvHeads, bool documents)
    {
        const long length = 77;
        var (q, k, v) = (
            Normal(type, 2, length, 4, headDim),
            Normal(type, 2, length, kvHeads, headDim),
            Normal(type, 2, length, kvHeads, headDim)
        );
        var ids = arange(Scalars.Of(length), ScalarType.Int64)
            .div(Scalars.Of(20), RoundingMode.floor)
            .to(ScalarType.Int64)
            .expand(2, length);
        var mask = documents ? new AttentionMask(true, 0, ids, ids) : new AttentionMask(true);
        var expected = _twin.Attention(q, k, v, mask, keepProbabilities: false);
        var actual = _native.Attention(q, k, v, mask, keepProbabilities: true);
        Same(expected.Output, actual.Output);
        Same(expected.LogSumExp, actual.LogSumExp, type);
        var gradient = Normal(type, 2, length, 4, headDim);
        var delta = _twin.AttentionDelta(gradient, expected.Output);
        Same(delta, _native.AttentionDelta(gradient, expected.Output));
        var wanted = _twin.AttentionBackward(gradient, q, k, v, expected.LogSumExp, delta, mask, [], float32);
        var got = _native.AttentionBackward(gradient, q, k, v, expected.LogSumExp, delta, mask, [], float32);
        Same(wanted.Query, got.Query, type);
        Same(wanted.Key, got.Key, type);
        Same(wanted.Value, got.Value, type);
    }

    [Fact]
    public void Losses()
    {
        var logits = Normal(ScalarType.Float32, 9, 101).mul_(Scalars.Of(5));
        var targets = tensor(new long[] { 0, 100, -1, 5, 6, 7, -1, 50, 99 });
        var (expected, actual) = (_twin.LossStatistics(logits, targets), _native.LossStatistics(logits, targets));
        Same(expected.Maximum, actual.Maximum);
        Same(expected.Sum, actual.Sum);
        Same(expected.Target, actual.Target);
        var logSumExp = expected.Sum.log().add_(expected.Maximum);
        var scale = targets.ge(Scalars.Of(0)).to(float32).mul_(Scalars.Of(0.1));
        Same(
            _twin.LossGradient(logits.clone(), targets, logSumExp, scale, float32),
            _native.LossGradient(logits.clone(), targets, logSumExp, scale, float32)
        );
        foreach (var type in (ScalarType[])[ScalarType.Float32, ScalarType.BFloat16])
        {
            var (apart, together) = (
                _twin.CrossEntropy(logits.clone(), targets, scale, type),
                _native.CrossEntropy(logits.clone(), targets, scale, type)
            );
            Same(apart.LogSumExp, together.LogSumExp);
            Same(apart.Target, together.Target);
            Same(apart.Gradient, together.Gradient);
        }
    }

    public void Dispose()
    {
        _native.Dispose();
        _scope.Dispose();
    }

    private static Tensor Normal(ScalarType type, params long[] shape)
    {
        using var generator = new Generator((ulong)shape.Sum());
        return randn(shape, generator: generator).to(type);
    }

    private static void Same(Tensor expected, Tensor actual, ScalarType? type = null)
    {
        Assert.Equal(expected.dtype, actual.dtype);
        Closeness.AssertClose("kernel", actual, expected, (type ?? expected.dtype) == ScalarType.Float32 ? 3e-6 : 1e-2);
    }
}
