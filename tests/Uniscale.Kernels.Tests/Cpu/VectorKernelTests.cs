using Uniscale.Kernels.Cpu;

namespace Uniscale.Kernels.Tests.Cpu;

/// <summary>Every vector kernel against its formula in fp64, at sizes that are no multiple of a vector.</summary>
public class VectorKernelTests
{
    public static TheoryData<KernelType, int, int> Shapes
    {
        get
        {
            var data = new TheoryData<KernelType, int, int>();
            foreach (var type in new[] { KernelType.Float32, KernelType.BFloat16 })
                foreach (var (rows, dim) in new[] { (1, 1), (1, 16), (3, 7), (5, 64), (17, 129), (64, 384), (43, 768) })
                    data.Add(type, rows, dim);
            return data;
        }
    }

    private static double Bound(KernelType type) => type == KernelType.Float32 ? 2e-6 : 6e-3;

    [Theory, MemberData(nameof(Shapes))]
    public void RmsNormAndItsGradients(KernelType type, int rows, int dim) => Norm(type, rows, dim, centred: false);

    [Theory, MemberData(nameof(Shapes))]
    public void LayerNormAndItsGradients(KernelType type, int rows, int dim) => Norm(type, rows, Math.Max(dim, 2), centred: true);

    private static void Norm(KernelType type, int rows, int dim, bool centred)
    {
        const double epsilon = 1e-5;
        var x = HostTensor.Random(type, rows * dim, 1);
        var weight = HostTensor.Random(type, dim, 2);
        var bias = HostTensor.Random(type, dim, 3);
        var dy = HostTensor.Random(type, rows * dim, 4);
        var (y, dx) = (HostTensor.Zeros(type, rows * dim), HostTensor.Zeros(type, rows * dim));
        var (mean, rstd) = (HostTensor.Zeros(KernelType.Float32, rows), HostTensor.Zeros(KernelType.Float32, rows));
        var (dweight, dbias) = (HostTensor.Zeros(KernelType.Float32, dim), HostTensor.Zeros(KernelType.Float32, dim));
        nint meanAddress = centred ? mean.Address : 0;
        CpuKernels.NormForward(
            x.Address,
            weight.Address,
            centred ? bias.Address : 0,
            y.Address,
            meanAddress,
            rstd.Address,
            rows,
            dim,
            (float)epsilon,
            type
        );
        CpuKernels.NormBackward(
            dy.Address,
            x.Address,
            weight.Address,
            meanAddress,
            rstd.Address,
            0,
            dx.Address,
            dweight.Address,
            centred ? dbias.Address : 0,
            rows,
            dim,
            type
        );

        var (wantY, wantDx, wantDw, wantDb) = (new double[rows * dim], new double[rows * dim], new double[dim], new double[dim]);
        for (int r = 0; r < rows; r++)
        {
            int[] row = Enumerable.Range(r * dim, dim).ToArray();
            double centre = centred ? row.Average(i => x[i]) : 0;
            double scale = 1 / Math.Sqrt(row.Average(i => Math.Pow(x[i] - centre, 2)) + epsilon);
            double meanG = centred ? row.Average(i => dy[i] * weight[i - r * dim]) : 0;
            double meanGx = row.Average(i => dy[i] * weight[i - r * dim] * (x[i] - centre) * scale);
            foreach (int i in row)
            {
                int c = i - r * dim;
                double normal = (x[i] - centre) * scale;
                wantY[i] = normal * weight[c] + (centred ? bias[c] : 0);
                wantDx[i] = scale * (dy[i] * weight[c] - meanG - normal * meanGx);
                wantDw[c] += dy[i] * normal;
                wantDb[c] += dy[i];
            }
        }
        Assert.True(y.RelativeError(wantY) < Bound(type));
        Assert.True(dweight.RelativeError(wantDw) < Bound(type));
        if (centred)
            Assert.True(dbias.RelativeError(wantDb) < Bound(type));
        // With one or two elements a row the gradient is a small difference of large terms.
        if (dim > 2)
            Assert.True(dx.RelativeError(wantDx) < 4 * Bound(type));
    }

    [Theory, MemberData(nameof(Shapes))]
    public void SwigluAndItsGradients(KernelType type, int rows, int dim)
    {
        int n = rows * dim;
        var (gate, up, dy) = (HostTensor.Random(type, n, 1, 3), HostTensor.Random(type, n, 2), HostTensor.Random(type, n, 3));
        var (y, dgate, dup) = (HostTensor.Zeros(type, n), HostTensor.Zeros(type, n), HostTensor.Zeros(type, n));
        CpuKernels.SwigluForward(gate.Address, up.Address, y.Address, n, type);
        CpuKernels.SwigluBackward(dy.Address, gate.Address, up.Address, dgate.Address, dup.Address, n, type);
        double[] sigmoid = gate.ToArray().Select(v => 1 / (1 + Math.Exp(-v))).ToArray();
        Assert.True(y.RelativeError([.. sigmoid.Select((s, i) => gate[i] * s * up[i])]) < Bound(type));
        Assert.True(dup.RelativeError([.. sigmoid.Select((s, i) => dy[i] * gate[i] * s)]) < Bound(type));
        Assert.True(dgate.RelativeError([.. sigmoid.Select((s, i) => dy[i] * up[i] * s * (1 + gate[i] * (1 - s)))]) < Bound(type));
    }

    [Theory, MemberData(nameof(Shapes))]
    public void GeluAndItsGradient(KernelType type, int rows, int dim)
    {
        int n = rows * dim;
        var (x, dy) = (HostTensor.Random(type, n, 1, 3), HostTensor.Random(type, n, 2));
        var (y, dx) = (HostTensor.Zeros(type, n), HostTensor.Zeros(type, n));
        CpuKernels.GeluForward(x.Address, y.Address, n, type);
        CpuKernels.GeluBackward(dy.Address, x.Address, dx.Address, n, type);
        double k = Math.Sqrt(2 / Math.PI);
        double[] tangent = x.ToArray().Select(v => Math.Tanh(k * (v + 0.044715 * v * v * v))).ToArray();
        Assert.True(y.RelativeError([.. tangent.Select((t, i) => 0.5 * x[i] * (1 + t))]) < Bound(type));
        var slope = tangent.Select((t, i) => 0.5 * (1 + t) + 0.5 * x[i] * (1 - t * t) * k * (1 + 3 * 0.044715 * x[i] * x[i]));
        Assert.True(dx.RelativeError([.. slope.Select((s, i) => dy[i] * s)]) < Bound(type));
    }

    [Theory]
    [InlineData(KernelType.Float32), InlineData(KernelType.BFloat16)]
    public void ActivationsKeepTheirLimitsAtExtremeValues(KernelType type)
    {
        var x = new HostTensor(type, -1e30, -200, -90, 0, 90, 200, 1e30, double.NaN);
        var one = new HostTensor(type, 1, 1, 1, 1, 1, 1, 1, 1);
        var y = HostTensor.Zeros(type, 8);
        CpuKernels.SwigluForward(x.Address, one.Address, y.Address, 8, type);
        Assert.Equal(0, y[0], 1e-6);
        Assert.Equal(0, y[1], 1e-6);
        Assert.Equal(0, y[3]);
        Assert.Equal(x[5], y[5]);
        Assert.Equal(x[6], y[6]);
        Assert.True(double.IsNaN(y[7]));
        CpuKernels.GeluForward(x.Address, y.Address, 8, type);
        Assert.Equal([0, 0, 0, 0, x[4], x[5], x[6], double.NaN], y.ToArray());
    }

    [Theory]
    [InlineData(KernelType.Float32), InlineData(KernelType.BFloat16)]
    public void SlopesOfActivationsKeepTheirLimitsAtExtremeValues(KernelType type)
    {
        var x = new HostTensor(type, -1e30, -200, -90, -20, 0, 20, 90, 200, 1e30, double.NaN);
        int count = x.Length;
        var one = new HostTensor(type, [.. Enumerable.Repeat(1.0, count)]);
        var (dx, dup) = (HostTensor.Zeros(type, count), HostTensor.Zeros(type, count));
        CpuKernels.GeluBackward(one.Address, x.Address, dx.Address, count, type);
        double[] limits = [0, 0, 0, 0, 0.5, 1, 1, 1, 1];
        for (int i = 0; i < limits.Length; i++)
            Assert.Equal(limits[i], dx[i], 1e-6);
        Assert.True(double.IsNaN(dx[count - 1]));
        CpuKernels.SwigluBackward(one.Address, x.Address, one.Address, dx.Address, dup.Address, count, type);
        for (int i = 0; i < limits.Length; i++)
        {
            Assert.Equal(limits[i], dx[i], 1e-6);
            Assert.Equal(Math.Max(x[i], 0), dup[i], 1e-6);
        }
        Assert.True(double.IsNaN(dx[count - 1]) && double.IsNaN(dup[count - 1]));
    }

    [Theory]
    [InlineData(KernelType.Float32, 4, 3, 10), InlineData(KernelType.BFloat16, 7, 2, 64)]
    public void RotationTurnsPairsAndItsInverseUndoesIt(KernelType type, int rows, int heads, int dim)
    {
        int half = dim / 2,
            tableRows = 2;
        double[] angles = HostTensor.Random(KernelType.Float32, tableRows * half, 5).ToArray();
        var cosines = new HostTensor(KernelType.Float32, [.. angles.Select(Math.Cos)]);
        var sines = new HostTensor(KernelType.Float32, [.. angles.Select(Math.Sin)]);
        var x = HostTensor.Random(type, rows * heads * dim, 6);
        var y = HostTensor.Zeros(type, x.Length);
        CpuKernels.Rope(x.Address, y.Address, cosines.Address, sines.Address, tableRows, rows, heads, dim, inverse: false, type);
        double[] want = new double[x.Length];
        for (int i = 0; i < x.Length; i++)
        {
            int row = i / (heads * dim),
                place = i % dim,
                first = i - place;
            double angle = angles[row % tableRows * half + place % half];
            double a = x[first + place % half],
                b = x[first + place % half + half];
            want[i] = place < half ? a * Math.Cos(angle) - b * Math.Sin(angle) : b * Math.Cos(angle) + a * Math.Sin(angle);
        }
        Assert.True(y.RelativeError(want) < Bound(type));
        CpuKernels.Rope(y.Address, y.Address, cosines.Address, sines.Address, tableRows, rows, heads, dim, inverse: true, type);
        Assert.True(y.RelativeError(x.ToArray()) < 2 * Bound(type));
    }

    [Theory]
    [InlineData(1, 1), InlineData(3, 16), InlineData(5, 33), InlineData(9, 1000), InlineData(4, 4099)]
    public void LossStatisticsAndGradient(int rows, int entries)
    {
        var logits = HostTensor.Random(KernelType.Float32, rows * entries, 1, 10);
        var targets = new HostIndices([.. Enumerable.Range(0, rows).Select(r => r % 4 == 3 ? -1L : r % entries)]);
        var (top, sum, target) = (HostTensor.Zeros(0, rows), HostTensor.Zeros(0, rows), HostTensor.Zeros(0, rows));
        CpuKernels.LossStatistics(logits.Address, targets.Address, top.Address, sum.Address, target.Address, rows, entries);
        double[] logSumExp = new double[rows];
        for (int r = 0; r < rows; r++)
        {
            double[] row = Enumerable.Range(r * entries, entries).Select(i => logits[i]).ToArray();
            Assert.Equal(row.Max(), top[r]);
            Assert.Equal(1, sum[r] / row.Sum(v => Math.Exp(v - row.Max())), 1e-5);
            Assert.Equal(targets[r] < 0 ? 0 : row[targets[r]], target[r]);
            logSumExp[r] = row.Max() + Math.Log(row.Sum(v => Math.Exp(v - row.Max())));
        }
        var scale = new HostTensor(0, [.. Enumerable.Range(0, rows).Select(r => targets[r] < 0 ? 0 : 0.5)]);
        double[] want = Enumerable
            .Range(0, rows * entries)
            .Select(i =>
                scale[i / entries] * (Math.Exp(logits[i] - logSumExp[i / entries]) - (i % entries == targets[i / entries] ? 1 : 0))
            )
            .ToArray();
        var (logSumExps, together) = (HostTensor.Zeros(0, rows), HostTensor.Zeros(0, rows * entries));
        CpuKernels.CrossEntropy(
            logits.Address,
            targets.Address,
            scale.Address,
            logSumExps.Address,
            sum.Address,
            together.Address,
            rows,
            entries,
            KernelType.Float32
        );
        for (int i = 0; i < want.Length; i++)
            Assert.Equal(want[i], together[i], 3e-6);
        for (int r = 0; r < rows; r++)
        {
            Assert.Equal(logSumExp[r], logSumExps[r], 1e-5);
            Assert.Equal(target[r], sum[r]);
        }
        CpuKernels.LossGradient(
            logits.Address,
            targets.Address,
            new HostTensor(0, logSumExp).Address,
            scale.Address,
            logits.Address,
            rows,
            entries,
            KernelType.Float32
        );
        for (int i = 0; i < want.Length; i++)
            Assert.Equal(want[i], logits[i], 3e-6);
    }

    [Theory]
    [InlineData(KernelType.Float32), InlineData(KernelType.BFloat16)]
    public void CrossEntropyOfExtremeLogits(KernelType type)
    {
        // A certain entry, impossible ones, an unbounded one, and a NaN.
        double[] certain = [1e30, -1e30, 0, double.NegativeInfinity, 5],
            unbounded = [0, double.PositiveInfinity, 0, 0, 0],
            damaged = [0, 1, double.NaN, 2, 3];
        var logits = new HostTensor(KernelType.Float32, [.. certain, .. unbounded, .. damaged]);
        var (targets, scale) = (new HostIndices(2, 0, 0), new HostTensor(KernelType.Float32, 1, 1, 1));
        var (logSumExp, target) = (HostTensor.Zeros(0, 3), HostTensor.Zeros(0, 3));
        var gradient = HostTensor.Zeros(type, 15);
        CpuKernels.CrossEntropy(
            logits.Address,
            targets.Address,
            scale.Address,
            logSumExp.Address,
            target.Address,
            gradient.Address,
            3,
            5,
            type
        );
        Assert.Equal([1, 0, -1, 0, 0], gradient.ToArray()[..5]);
        Assert.Equal(1, logSumExp[0] / 1e30, 1e-6);
        Assert.All(gradient.ToArray()[5..], v => Assert.True(double.IsNaN(v) || v == 0));
        Assert.True(double.IsNaN(logSumExp[1]) && double.IsNaN(logSumExp[2]));
    }

    [Theory]
    [InlineData(KernelType.Float32, 130), InlineData(KernelType.BFloat16, 5)]
    public void EmbeddingGathersItsEntriesAndScattersTheirGradients(KernelType type, int dim)
    {
        const int first = 3,
            entries = 4;
        var tokens = new HostIndices(3, 6, 2, 3, 7, 5);
        var table = HostTensor.Random(type, entries * dim, 1);
        var y = HostTensor.Random(type, 6 * dim, 2);
        var dtable = HostTensor.Zeros(KernelType.Float32, entries * dim);
        CpuKernels.EmbeddingForward(tokens.Address, table.Address, y.Address, 6, dim, first, entries, type);
        CpuKernels.EmbeddingBackward(tokens.Address, y.Address, dtable.Address, 6, dim, first, entries, type);
        double[] want = new double[entries * dim];
        for (int r = 0; r < 6; r++)
            for (int c = 0; c < dim; c++)
            {
                long entry = tokens[r] - first;
                double value = entry is >= 0 and < entries ? table[(int)entry * dim + c] : 0;
                Assert.Equal(value, y[r * dim + c]);
                if (entry is >= 0 and < entries)
                    want[entry * dim + c] += value;
            }
        Assert.True(dtable.RelativeError(want) < 1e-6);
    }

    [Theory]
    [InlineData(1), InlineData(1000), InlineData(50_001)]
    public void AdamWAgreesWithItsFormula(int count)
    {
        var step = new AdamWConstants(1e-2f, 0.9f, 0.95f, 1e-8f, 0.1f, 1 - 0.9f * 0.9f, 1 - 0.95f * 0.95f, 0.5f);
        var (p, g) = (HostTensor.Random(0, count, 1), HostTensor.Random(0, count, 2));
        var (m, v) = (HostTensor.Random(0, count, 3), new HostTensor(0, [.. HostTensor.Random(0, count, 4).ToArray().Select(Math.Abs)]));
        var copy = HostTensor.Zeros(KernelType.BFloat16, count);
        double[] want = new double[count];
        for (int i = 0; i < count; i++)
        {
            double gradient = g[i] * step.GradientScale;
            double first = step.Beta1 * m[i] + (1 - step.Beta1) * gradient,
                second = step.Beta2 * v[i] + (1 - step.Beta2) * gradient * gradient;
            want[i] =
                p[i] * (1 - step.LearningRate * step.WeightDecay)
                - step.LearningRate * (first / step.Bias1) / (Math.Sqrt(second / step.Bias2) + step.Epsilon);
        }
        CpuKernels.AdamW(p.Address, copy.Address, g.Address, m.Address, v.Address, count, step);
        Assert.True(p.RelativeError(want) < 1e-6);
        Assert.True(copy.RelativeError(want) < 4e-3);
    }

    [Theory]
    [InlineData(1), InlineData(31), InlineData(64), InlineData(16_385), InlineData(100_003)]
    public void SquaresAreSummedInDoublePrecision(int count)
    {
        var x = HostTensor.Random(KernelType.Float32, count, 1);
        Assert.Equal(1, CpuKernels.SumOfSquares(x.Address, count) / x.ToArray().Sum(v => v * v), 1e-13);
    }

    [Theory]
    [
        InlineData(double.NaN, double.NaN),
        InlineData(double.NegativeInfinity, double.PositiveInfinity),
        InlineData(1.2676506002282294e30, 1.6069380442589903e60)
    ]
    public void SquaresOfExtremeValuesAreNotLost(double value, double square)
    {
        double[] values = new double[40];
        foreach (int place in (int[])[3, 39])
        {
            Array.Clear(values);
            values[place] = value;
            double sum = CpuKernels.SumOfSquares(new HostTensor(KernelType.Float32, values).Address, values.Length);
            Assert.Equal(square, sum);
        }
    }

    [Fact]
    public void AccumulationAdds()
    {
        var half = HostTensor.Random(KernelType.BFloat16, 1003, 2);
        var target = HostTensor.Random(KernelType.Float32, 1003, 3);
        double[] want = [.. target.ToArray().Select((t, i) => t + half[i])];
        CpuKernels.Accumulate(target.Address, half.Address, 1003, KernelType.BFloat16);
        Assert.True(target.RelativeError(want) < 1e-6);
    }

    [Theory]
    [InlineData(KernelType.Float32, 1, 1, false), InlineData(KernelType.BFloat16, 7, 33, true)]
    [InlineData(KernelType.BFloat16, 100, 1100, false), InlineData(KernelType.Float32, 67, 640, true)]
    public void ColumnsAreSummed(KernelType type, int rows, int columns, bool add)
    {
        var x = HostTensor.Random(type, rows * columns, 2);
        var sums = HostTensor.Random(KernelType.Float32, columns, 3);
        double[] want = [.. sums.ToArray().Select((s, j) => (add ? s : 0) + Enumerable.Range(0, rows).Sum(i => x[i * columns + j]))];
        CpuKernels.ColumnSums(x.Address, sums.Address, rows, columns, add, type);
        Assert.True(sums.RelativeError(want) < 1e-6);
    }
}
