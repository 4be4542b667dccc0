using System.Globalization;
using Uniscale.Configuration;
using Uniscale.Launching.Processes;
using Uniscale.Launching.Ranks;

namespace Uniscale.Launching.Slurm;

/// <summary>The nodes that Slurm has given to this shell, and how many tasks each takes.</summary>
/// <param name="Job">Number of the job.</param>
/// <param name="Hosts">The nodes; their slots are the job's tasks of them.</param>
/// <param name="CoresOfTask">Processors of a task; null: the job does not say.</param>
public sealed record SlurmAllocation(string Job, HostFile Hosts, int? CoresOfTask)
{
    /// <summary>The program that starts tasks in an allocation.</summary>
    public const string Starter = "srun";

    /// <summary>That of this process; null: it is in none, or has no srun to start ranks with.</summary>
    public static SlurmAllocation? Current => Of(RankEnvironment.AllVariables());

    /// <summary>Ranks that it has room for.</summary>
    public int Slots => Hosts.SlotsOf(share: 1);

    /// <summary>Reads an environment.</summary>
    /// <exception cref="UserErrorException">Its lists are broken.</exception>
    internal static SlurmAllocation? Of(IReadOnlyDictionary<string, string> environment)
    {
        var slurm = new SlurmVariables(environment);
        if (slurm is not { Job: { } job, Nodes: { } list } || !Allocation.IsOnPath(Starter, environment))
            return null;
        var hosts = SlurmLists.Hosts(list);
        var tasks = SlurmLists.Numbers(
            slurm.TasksPerNode ?? "1(x" + hosts.Count.ToString(CultureInfo.InvariantCulture) + ")"
        );
        if (tasks.Count != hosts.Count)
            throw new UserErrorException(
                $"Slurm's environment tells of {hosts.Count} nodes ({list}), but of the tasks of {tasks.Count} ({slurm.ShownTasks}): launch from a shell of the allocation."
            );
        int? cores = int.TryParse(slurm.CoresOfTask, NumberStyles.None, CultureInfo.InvariantCulture, out int count) ? count : null;
        return new(
            job,
            new HostFile([
                .. hosts.Zip(tasks, (host, slots) => new HostLine(FormattableString.Invariant($"{host} slots={slots}"), host, slots)),
            ]),
            cores
        );
    }

    /// <summary>Refuses a job that has more ranks than the allocation has tasks.</summary>
    /// <exception cref="UserErrorException">It has.</exception>
    public void CheckRoom(int ranks)
    {
        if (ranks <= Slots)
            return;
        throw new UserErrorException(
            $"The layout has {ranks} ranks, but job {Job} of Slurm has {Slots} {(Slots == 1 ? "task" : "tasks")} on {Hosts.Names.Count} {(Hosts.Names.Count == 1 ? "node" : "nodes")}: "
                + "ask for more (--nodes, --ntasks-per-node), or give -n and a layout that fits."
        );
    }
}
