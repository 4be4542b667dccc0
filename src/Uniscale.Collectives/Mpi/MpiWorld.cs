using Uniscale.Collectives.Journal;
using Uniscale.Collectives.Messages;
using Uniscale.Mpi;

namespace Uniscale.Collectives.Mpi;

/// <summary>A world whose ranks are processes started by mpirun or srun.</summary>
public sealed class MpiWorld : IWorld
{
    private readonly MpiRuntime _runtime;
    private readonly MpiCommunicator _control;
    private readonly MpiCommunicator _making;
    private readonly MpiCommunicationThread _thread;
    private bool _disposed;

    private MpiWorld(MpiRuntime runtime)
    {
        _runtime = runtime;
        _control = runtime.World.Duplicate("control");
        _making = runtime.World.Duplicate("making of groups");
        _thread = new MpiCommunicationThread(_control);
        Group = new MpiGroup(runtime.World, "world", [.. Enumerable.Range(0, Size)], _thread, Journal);
    }

    /// <inheritdoc/>
    public int Rank => _runtime.World.Rank;

    /// <inheritdoc/>
    public int Size => _runtime.World.Size;

    /// <inheritdoc/>
    public IProcessGroup Group { get; }

    /// <inheritdoc/>
    public string Transport => MpiRuntime.Describe().ToString();

    /// <inheritdoc/>
    public IMessages Messages => _thread.Messages;

    /// <inheritdoc/>
    public CollectiveJournal Journal { get; } = new();

    /// <inheritdoc/>
    public string? Failure => _thread.Failure;

    /// <summary>
    /// Joins the job that the launcher started; once in a process. Throws <see cref="MpiException"/> where MPI is missing or unfit.
    /// </summary>
    public static MpiWorld Join() => new(MpiRuntime.Initialize());

    /// <inheritdoc/>
    public IProcessGroup? CreateGroup(IReadOnlyList<int> worldRanks, string name)
    {
        GroupRules.Check(worldRanks, Size, name);
        int[] members = [.. worldRanks];
        string fullName = ProcessGroup.NameOf(name, members);
        if (_thread.Failure is { } failure)
            throw new CollectiveException($"rank {Rank}: making group {fullName} failed: {failure}");
        int member = Array.IndexOf(members, Rank);
        var communicator = _making.Split(member < 0 ? null : 0, member, fullName);
        return communicator is null ? null : new MpiGroup(communicator, fullName, members, _thread, Journal);
    }

    /// <inheritdoc/>
    public void Abort(string reason) => _thread.Abort($"rank {Rank} aborted the job: {reason}");

    /// <summary>
    /// Leaves the job once all ranks do. After a failure MPI is left as it is: the process ends and the launcher ends the others.
    /// </summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        if (_thread.Failure is null)
        {
            try
            {
                Group.Barrier().Wait();
            }
            catch (CollectiveException)
            {
                // Another rank failed while this one waited for it: the reason is that rank's to tell.
            }
        }
        _thread.Stop();
        if (_thread.Failure is null)
            _runtime.Dispose();
        Journal.Dispose();
    }
}
