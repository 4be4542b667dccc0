using Uniscale.Configuration;
using Uniscale.Configuration.Schema;
using Uniscale.Training.Faults;

namespace Uniscale.Alignment.Rounds;

/// <summary>A point that the process which leads rounds passes, before the manifest says so.</summary>
internal enum RoundPoint
{
    /// <summary>The comparisons lie packed in a folder that is no round's yet.</summary>
    ComparisonsPacked,

    /// <summary>The reward model has done its last step.</summary>
    RewardTrained,

    /// <summary>The policy has.</summary>
    PolicyTrained,

    /// <summary>The fast path's pairs are labelled and written.</summary>
    PatchesWritten,

    /// <summary>The slow path's pairs are written.</summary>
    PairsWritten,
}

/// <summary>Makes faults of moment <c>round</c> happen to the process that leads rounds.</summary>
/// <param name="configuration">The rounds.</param>
/// <param name="directory">Their directory, which remembers what has happened.</param>
internal sealed class RoundFaults(RunConfiguration configuration, string directory)
{
    private readonly FaultMemory _memory = new(directory);
    private readonly HashSet<int> _happened = [];

    /// <summary>Called at each point of each round.</summary>
    public void At(int round, RoundPoint point)
    {
        string name = Names.Kebab(point.ToString());
        for (int i = 0; i < configuration.Faults.Inject.Count; i++)
        {
            var fault = configuration.Faults.Inject[i];
            if (fault.Moment != FaultMoment.Round || fault.Step != round || fault.Point != name)
                continue;
            if ((_memory.HappenedBefore(i) && !fault.Again) || !_happened.Add(i))
                continue;
            _memory.Add(new FiredFault(i, Names.Kebab(fault.Kind.ToString()), round, 0, DateTimeOffset.UtcNow));
            Happen(fault, name);
        }
    }

    private static void Happen(FaultSection fault, string point)
    {
        switch (fault.Kind)
        {
            case FaultKind.Kill:
                ProcessSignal.ToSelf(ProcessSignal.Kill);
                break;
            case FaultKind.DiskFull:
                throw new IOException("No space left on device (injected)");
            default:
                throw new InjectedFaultException($"an injected exception in round {fault.Step} at {point}");
        }
    }
}
