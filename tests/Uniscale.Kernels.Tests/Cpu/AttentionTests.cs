using Uniscale.Kernels.Cpu;

namespace Uniscale.Kernels.Tests.Cpu;

/// <summary>Attention and its gradients against the formula in fp64.</summary>
public class AttentionTests
{
    public static TheoryData<KernelType, int[], bool> Cases
    {
        get
        {
            var data = new TheoryData<KernelType, int[], bool>();
            int[][] shapes = // batch, queries, keys, heads, kvHeads, headDim, diagonal
            [
                [1, 1, 1, 1, 1, 2, 0],
                [2, 37, 37, 4, 2, 80, 0],
                [1, 70, 130, 2, 1, 128, 60],
                [1, 300, 300, 1, 1, 96, 0],
                [2, 65, 65, 3, 3, 6, 0],
                [1, 40, 50, 2, 2, 16, 1000],
                [1, 20, 20, 1, 1, 8, -5],
                [1, 530, 530, 2, 1, 64, 0],
                [1, 90, 400, 2, 2, 64, 310],
                [1, 400, 90, 1, 1, 48, -40],
                [2, 27, 31, 1, 1, 46, -30],
                [1, 3, 14, 1, 1, 4, -8],
            ];
            foreach (var type in new[] { KernelType.Float32, KernelType.BFloat16 })
                foreach (int[] shape in shapes)
                    foreach (bool documents in new[] { false, true })
                        data.Add(type, shape, documents);
            return data;
        }
    }

    [Theory, MemberData(nameof(Cases))]
    public void AgreesWithItsFormula(KernelType type, int[] sizes, bool documents)
    {
        var (batch, keys, kvHeads, dim) = (sizes[0], sizes[2], sizes[4], sizes[5]);
        Check(type, sizes, documents, HostTensor.Random(type, batch * keys * kvHeads * dim, 2));
    }

    /// <summary>Maxima that grow a lot from one tile of keys to the next, so that what was summed before must shrink.</summary>
    [Theory, InlineData(KernelType.Float32), InlineData(KernelType.BFloat16)]
    public void LaterKeysMayOutweighEarlierOnes(KernelType type)
    {
        int[] sizes = [1, 600, 600, 2, 1, 64, 0];
        double[] k = HostTensor.Random(type, 600 * 64, 2).ToArray();
        for (int i = 0; i < k.Length; i++)
            k[i] *= 1 + i / (64 * 200);
        Check(type, sizes, documents: false, new HostTensor(type, k));
    }

    private static void Check(KernelType type, int[] sizes, bool documents, HostTensor k)
    {
        var (batch, queries, keys, heads, kvHeads, dim, diagonal) = (sizes[0], sizes[1], sizes[2], sizes[3], sizes[4], sizes[5], sizes[6]);
        var q = HostTensor.Random(type, batch * queries * heads * dim, 1);
        var v = HostTensor.Random(type, batch * keys * kvHeads * dim, 3);
        var gradient = HostTensor.Random(type, q.Length, 4);
        var qDocuments = new HostIndices([.. Enumerable.Range(0, batch * queries).Select(i => (long)(i % queries * 3 / queries))]);
        var kDocuments = new HostIndices([.. Enumerable.Range(0, batch * keys).Select(i => (long)(i % keys * 3 / keys))]);
        var shape = new AttentionShape(batch, queries, keys, heads, kvHeads, dim, 0.3f, type)
        {
            Diagonal = diagonal,
            QueryDocuments = documents ? qDocuments.Address : 0,
            KeyDocuments = documents ? kDocuments.Address : 0,
        };
        var (output, lse) = (HostTensor.Zeros(type, q.Length), HostTensor.Zeros(0, batch * heads * queries));
        CpuKernels.AttentionForward(q.Address, k.Address, v.Address, output.Address, lse.Address, shape);
        double[] delta = new double[batch * heads * queries];
        var want = new Reference(q, k, v, gradient, shape, documents ? qDocuments : null, documents ? kDocuments : null, delta);
        double bound = type == KernelType.Float32 ? 3e-6 : 8e-3;
        Assert.True(output.RelativeError(want.Output) < bound, $"output: {output.RelativeError(want.Output)}");
        for (int i = 0; i < want.LogSumExp.Length; i++)
            Assert.True(want.LogSumExp[i] == lse[i] || Math.Abs(want.LogSumExp[i] - lse[i]) < 10 * bound);

        var (dq, dk, dv) = (HostTensor.Zeros(0, q.Length), HostTensor.Zeros(0, k.Length), HostTensor.Zeros(0, v.Length));
        CpuKernels.AttentionBackward(
            gradient.Address,
            q.Address,
            k.Address,
            v.Address,
            lse.Address,
            new HostTensor(0, delta).Address,
            dq.Address,
            dk.Address,
            dv.Address,
            shape,
            KernelType.Float32
        );
        Assert.True(dv.RelativeError(want.Dv) < bound, $"dv: {dv.RelativeError(want.Dv)}");
        if (keys == 1)
            return; // softmax of one score has no gradient
        Assert.True(dq.RelativeError(want.Dq) < bound, $"dq: {dq.RelativeError(want.Dq)}");
        Assert.True(dk.RelativeError(want.Dk) < bound, $"dk: {dk.RelativeError(want.Dk)}");
    }

    private sealed class Reference
    {
        public readonly double[] Output,
            LogSumExp,
            Dq,
            Dk,
            Dv;

        public Reference(
            HostTensor q,
            HostTensor k,
            HostTensor v,
            HostTensor gradient,
            AttentionShape s,
            HostIndices? qDocuments,
            HostIndices? kDocuments,
            double[] delta
        )
        {
            (Output, Dq, Dk, Dv) = (new double[q.Length], new double[q.Length], new double[k.Length], new double[v.Length]);
            LogSumExp = new double[delta.Length];
            for (int row = 0; row < delta.Length; row++)
            {
                int b = row / (int)(s.Heads * s.Queries),
                    h = row / (int)s.Queries % (int)s.Heads,
                    i = row % (int)s.Queries;
                int dim = (int)s.HeadDim,
                    at = (int)((b * s.Queries + i) * s.Heads + h) * dim;
                int KeyAt(int j) => (int)((b * s.Keys + j) * s.KvHeads + h / (s.Heads / s.KvHeads)) * dim;
                int[] seen = Enumerable
                    .Range(0, (int)s.Keys)
                    .Where(j =>
                        j <= i + s.Diagonal
                        && (qDocuments is null || qDocuments[(int)(b * s.Queries) + i] == kDocuments![(int)(b * s.Keys) + j])
                    )
                    .ToArray();
                LogSumExp[row] = double.NegativeInfinity;
                if (seen.Length == 0)
                    continue;
                double Dot(HostTensor left, int l, HostTensor right, int r) =>
                    Enumerable.Range(0, dim).Sum(c => left[l + c] * right[r + c]);
                double[] scores = seen.Select(j => s.Scale * Dot(q, at, k, KeyAt(j))).ToArray();
                LogSumExp[row] = scores.Max() + Math.Log(scores.Sum(x => Math.Exp(x - scores.Max())));
                double[] weights = scores.Select(x => Math.Exp(x - LogSumExp[row])).ToArray();
                for (int n = 0; n < seen.Length; n++)
                    for (int c = 0; c < dim; c++)
                        Output[at + c] += weights[n] * v[KeyAt(seen[n]) + c];
                delta[row] = Enumerable.Range(0, dim).Sum(c => Output[at + c] * gradient[at + c]);
                for (int n = 0; n < seen.Length; n++)
                {
                    int key = KeyAt(seen[n]);
                    double slope = weights[n] * (Dot(gradient, at, v, key) - delta[row]) * s.Scale;
                    for (int c = 0; c < dim; c++)
                    {
                        Dv[key + c] += weights[n] * gradient[at + c];
                        Dq[at + c] += slope * k[key + c];
                        Dk[key + c] += slope * q[at + c];
                    }
                }
            }
        }
    }
}
