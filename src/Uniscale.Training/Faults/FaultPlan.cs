using Uniscale.Collectives;
using Uniscale.Configuration;
using Uniscale.Configuration.Schema;
using Uniscale.Launching.Processes;

namespace Uniscale.Training.Faults;

/// <summary>Which faults are still to happen to one rank. Safe for the threads that train, read and save.</summary>
internal sealed class FaultPlan
{
    private readonly Lock _gate = new();
    private readonly List<(int Index, FaultSection Fault)> _waiting;
    private readonly FaultMemory _memory;
    private readonly int _rank;

    private FaultPlan(IEnumerable<(int, FaultSection)> waiting, FaultMemory memory, int rank) =>
        (_waiting, _memory, _rank) = ([.. waiting], memory, rank);

    /// <summary>The faults of a rank, without those that happened before and are not to happen again.</summary>
    /// <exception cref="UserErrorException">A fault names a rank that is not there.</exception>
    public static FaultPlan Of(FaultsSection faults, IWorld world, FaultMemory memory)
    {
        var mine = new List<(int, FaultSection)>();
        for (int i = 0; i < faults.Inject.Count; i++)
        {
            var fault = faults.Inject[i];
            if (fault.Host is { } host)
            {
                if (HostFile.IsSame(host, Environment.MachineName) && (fault.Again || !memory.HappenedBefore(i)))
                    mine.Add((i, fault));
                continue;
            }
            int rank = fault.Rank < 0 ? world.Size + fault.Rank : fault.Rank;
            if (rank < 0 || rank >= world.Size)
                throw new UserErrorException(
                    $"faults.inject[{i}].rank is {fault.Rank}, but the run has {world.Size} ranks: give one from {-world.Size} to {world.Size - 1}."
                );
            if ((fault.AllRanks || rank == world.Rank) && (fault.Again || !memory.HappenedBefore(i)))
                mine.Add((i, fault));
        }
        return new FaultPlan(mine, memory, world.Rank);
    }

    /// <summary>Whether a fault happens while a checkpoint is written.</summary>
    public static bool IsInSave(FaultSection fault) =>
        fault.Moment == FaultMoment.Save || fault.Kind is FaultKind.DiskFull or FaultKind.SlowStorage;

    /// <summary>Faults of a step; each is written down before it is given out.</summary>
    public IEnumerable<FaultSection> Due(long step, Func<FaultSection, bool> wanted) =>
        Take(step, fault => fault.Step == step && wanted(fault));

    /// <summary>Faults of a step or an earlier one that had no occasion yet.</summary>
    /// <param name="step">The step.</param>
    /// <param name="wanted">Which kinds.</param>
    /// <param name="ahead">Faults of so many steps later are due too.</param>
    public IEnumerable<FaultSection> DueFrom(long step, Func<FaultSection, bool> wanted, int ahead = 0) =>
        Take(step, fault => fault.Step <= step + ahead && wanted(fault));

    // Out one by one: the first of a step may end the process, and then the others have not happened.
    private IEnumerable<FaultSection> Take(long step, Func<FaultSection, bool> wanted)
    {
        while (Next(step, wanted) is { } fault)
            yield return fault;
    }

    private FaultSection? Next(long step, Func<FaultSection, bool> wanted)
    {
        lock (_gate)
        {
            int place = _waiting.FindIndex(item => wanted(item.Fault));
            if (place < 0)
                return null;
            var (index, fault) = _waiting[place];
            // What is to happen again does so after a restart; once an attempt, or one moment would never end.
            _waiting.RemoveAt(place);
            _memory.Add(new FiredFault(index, Names.Kebab(fault.Kind.ToString()), step, _rank, DateTimeOffset.UtcNow));
            return fault;
        }
    }
}
