using System.Collections.ObjectModel;
using Uniscale.Engine.Devices;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Engine.Execution;

/// <summary>
/// The numbers that all ranks sum once a step, as one tensor, fp64 on the device: one exchange, and one read of the device. Ranks of a
/// tensor group have the same loss, data and measures, so the first of them speaks for all; squares of gradients come from every rank.
/// </summary>
/// <param name="rank">The rank.</param>
/// <param name="batch">Its data of the step.</param>
/// <param name="holdsHead">It holds the block that computes the loss.</param>
internal sealed class StepNumbers(RankState rank, IStepBatch batch, bool holdsHead)
{
    /// <summary>
    /// Places that every step's decision has: squares of gradients, loss, stop, two halves of the digest, save. The measures follow behind
    /// what they are means over, then the domains' sums of losses and their counts of targets.
    /// </summary>
    private const int Squares = 0,
        Loss = 1,
        Stop = 2,
        LowDigest = 3,
        HighDigest = 4,
        Save = 5,
        Fixed = 6;

    private readonly bool _speaks = rank.Groups.Tensor.Rank == 0;

    /// <summary>Sums what forward passes alone found. Collective.</summary>
    /// <param name="loss">This rank's sum of losses, fp64 [].</param>
    public StepEvaluation SumLoss(Tensor loss)
    {
        // The targets are the same on all stages, too.
        double[] first = [0, _speaks && holdsHead ? batch.ValidTokens : 0, .. new double[batch.Measures.Count]];
        var own = tensor(first, ScalarType.Float64);
        var sums = rank.Link.Upload(own);
        if (_speaks)
            sums[0].copy_(loss);
        if (_speaks)
            AddMeasured(sums, 2);
        double[] all = Exchange(sums);
        return new StepEvaluation(all[0], (long)all[1], batch.Measures.Select((name, i) => (name, all[2 + i])).ToDictionary());
    }

    /// <summary>Sums what the step's decision rests on, and decides. Collective.</summary>
    /// <param name="input">What the step needs besides its program.</param>
    /// <param name="loss">This rank's share of the mean loss, fp64 [].</param>
    /// <param name="domainLosses">Its sums by domain; null: they are not told apart, or the head is elsewhere.</param>
    /// <param name="addSquares">Adds the squares of the gradients that this rank counts to a number.</param>
    /// <param name="faults">What damages numbers on purpose; null: nothing.</param>
    public StepDecision Decide(
        StepInput input,
        Tensor loss,
        DomainLosses? domainLosses,
        Action<Tensor> addSquares,
        IFaultInjector? faults
    )
    {
        int domains = batch.DomainCount > 1 ? batch.DomainCount : 0,
            measures = batch.Measures.Count == 0 ? 0 : 1 + batch.Measures.Count,
            firstSum = Fixed + measures;
        bool tellsDomains = _speaks && domainLosses is not null;
        using var own = tensor(KnownAtHome(input, measures, domains, tellsDomains), ScalarType.Float64);
        using var sums = rank.Link.Upload(own);
        addSquares(sums[Squares]);
        if (_speaks)
            sums[Loss].copy_(loss);
        if (_speaks && measures > 0)
            AddMeasured(sums, Fixed + 1);
        if (tellsDomains)
            sums.narrow(0, firstSum, domains).copy_(domainLosses!.Sums);
        if (faults is not null)
            sums[Loss].fill_(Scalars.Of(faults.OnLoss(input.Step, _speaks ? rank.Link.Read<double>(loss)[0] : 0)));
        double[] all = Exchange(sums);
        return Decision(input, all) with
        {
            Measures =
                measures == 0
                    ? ReadOnlyDictionary<string, double>.Empty
                    : batch.Measures.Select((name, i) => (name, all[Fixed + 1 + i] / Math.Max(1, all[Fixed]))).ToDictionary(),
            DomainLosses = MeansByDomain(all.AsSpan(firstSum, domains), all.AsSpan(firstSum + domains, domains)),
        };
    }

    /// <summary>What is known on the host; the device adds the rest where zeros stand.</summary>
    private double[] KnownAtHome(StepInput input, int measures, int domains, bool tellsDomains)
    {
        double[] numbers = new double[Fixed + measures + 2 * domains];
        // Data is read whole where the loss is. Halves of 32 bits stay exact in sums of doubles.
        ulong digest = _speaks && holdsHead ? batch.Digest : 0;
        numbers[Stop] = input.StopAsked ? 1 : 0;
        numbers[LowDigest] = (uint)digest;
        numbers[HighDigest] = digest >> 32;
        numbers[Save] = input.SaveAsked ? 1 : 0;
        if (measures > 0 && _speaks && holdsHead)
            numbers[Fixed] = batch.ValidTokens;
        if (tellsDomains)
            for (int i = 0; i < domains; i++)
                numbers[Fixed + measures + domains + i] = batch.DomainTokens[i];
        return numbers;
    }

    private static StepDecision Decision(StepInput input, double[] all)
    {
        double norm = Math.Sqrt(all[Squares]),
            loss = all[Loss];
        double scale = input.Clip > 0 && norm > input.Clip ? input.Clip / (norm + 1e-6) : 1;
        ulong digest = unchecked((ulong)all[LowDigest] + ((ulong)all[HighDigest] << 32));
        return new StepDecision(loss, norm, scale, input.Applies(loss, norm), all[Stop] > 0, digest) { Save = all[Save] > 0 };
    }

    private static double[] MeansByDomain(ReadOnlySpan<double> sums, ReadOnlySpan<double> counts)
    {
        if (sums.IsEmpty)
            return [];
        double[] means = new double[sums.Length];
        for (int i = 0; i < means.Length; i++)
            means[i] = counts[i] > 0 ? sums[i] / counts[i] : double.NaN;
        return means;
    }

    /// <summary>Adds what this rank's microbatches measured behind the first numbers.</summary>
    private void AddMeasured(Tensor sums, int first)
    {
        foreach (var measured in batch.Measured)
            sums.narrow(0, first, measured.size(0)).add_(measured, Scalars.One);
    }

    private double[] Exchange(Tensor sums)
    {
        rank.Groups.World.AllReduce(TensorBuffer.Of(sums)).Wait();
        return rank.Link.Read<double>(sums);
    }
}
