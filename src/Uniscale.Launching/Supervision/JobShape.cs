using Uniscale.Configuration;
using Uniscale.Launching.Processes;
using Uniscale.Programs;

namespace Uniscale.Launching.Supervision;

/// <summary>What a fault changes about the next start.</summary>
/// <param name="Said">In words; null: nothing changes.</param>
/// <param name="Refusal">Why the job cannot go on smaller; null: it can, or need not.</param>
/// <param name="IsOther">Whether the next start has other hosts or fewer ranks.</param>
public readonly record struct ShapeChange(string? Said = null, string? Refusal = null, bool IsOther = false);

/// <summary>
/// On how many ranks and which hosts a job is started. Hosts that fail again and again are left out; where ranks are then missing, or a
/// fault comes
/// back although the job was restarted, an elastic job goes on with fewer data-parallel replicas. The global batch and the order of samples
/// are
/// functions of position and do not change, so the curve goes on as it would have.
/// </summary>
public sealed class JobShape
{
    private const string HostsFileName = "hosts";

    private readonly RunConfiguration _configuration;
    private readonly bool _isElastic;
    private readonly int _hostFaults;
    private readonly string _folder;
    private readonly FailingHosts _failing;
    private readonly int _share;
    private HostFile? _hosts;

    /// <param name="configuration">The run.</param>
    /// <param name="ranks">Ranks of the whole job.</param>
    /// <param name="isElastic">Whether it may go on with fewer.</param>
    /// <param name="hostFile">Host file of mpirun; null: this machine, or the batch system's allocation.</param>
    /// <param name="hostFaults">Faults after which a host is left out.</param>
    /// <param name="folder">Launch folder of the run.</param>
    /// <param name="allocation">Hosts of the batch system's allocation, where ranks are placed on them one by one; null: mpirun places
    /// them.</param>
    public JobShape(
        RunConfiguration configuration,
        int ranks,
        bool isElastic,
        string? hostFile,
        int hostFaults,
        string folder,
        HostFile? allocation = null
    )
    {
        (_configuration, Ranks, WholeRanks, _isElastic, HostFile, _hostFaults, _folder) = (
            configuration,
            ranks,
            ranks,
            isElastic,
            hostFile,
            hostFaults,
            folder
        );
        _failing = new FailingHosts(folder);
        _hosts = hostFile is not null && File.Exists(hostFile) ? Processes.HostFile.Read(hostFile) : allocation;
        _share = _hosts is { Lines.Count: > 0 and var lines } ? (ranks + lines - 1) / lines : ranks;
    }

    /// <summary>Ranks of the next start.</summary>
    public int Ranks { get; private set; }

    /// <summary>Ranks of the whole job.</summary>
    public int WholeRanks { get; }

    /// <summary>Hosts of the next start; null: mpirun's choice.</summary>
    public HostFile? Hosts => _hosts;

    /// <summary>Host file of the next start; null: none.</summary>
    public string? HostFile { get; private set; }

    /// <summary>Replicas of the next start where it is smaller than the whole job; null: the configuration's.</summary>
    public int? Replicas => Ranks == WholeRanks ? null : Ranks / _configuration.Parallel.ReplicaRanks;

    /// <summary>
    /// Whether hosts of this start are gone: what ran there counts as running for the batch system until it gives them up, minutes later.
    /// </summary>
    public bool HasGoneHosts { get; private set; }

    /// <summary>Leaves out hosts that failed too often in earlier starts of the run.</summary>
    public ShapeChange Begin()
    {
        var said = new List<string>();
        foreach (string host in _hosts?.Names ?? [])
        {
            if (_failing[host] < _hostFaults)
                continue;
            var change = LeaveOut(host);
            said.Add(change.Said ?? change.Refusal!);
        }
        return new(said.Count > 0 ? string.Join("; ", said) : null);
    }

    /// <summary>Counts a fault of its host and says what changes.</summary>
    /// <param name="fault">The fault.</param>
    /// <param name="isLost">The fault has come back although the job was started again: its rank counts as lost for good.</param>
    public ShapeChange After(Fault fault, bool isLost)
    {
        if (fault.Refused.Count > 0)
            return LeaveOutRefused(fault);
        if (_hosts is not null && fault.Host.Length > 0 && _hosts.Contains(fault.Host) && _failing.Add(NameOf(fault.Host)) >= _hostFaults)
        {
            var change = LeaveOut(fault.Host);
            if (change.IsOther || !isLost)
                return change;
        }
        return isLost && _isElastic ? Shrink(Ranks - 1) : default;
    }

    /// <summary>Whether the job could go on without any one of its hosts: only then a slow one is worth a restart.</summary>
    public bool CanSpareAHost =>
        _hosts is not null
        && _hosts.Names.All(host =>
            _hosts.Without(host).SlotsOf(_share) is var slots
            && (slots >= Ranks || (_isElastic && slots >= _configuration.Parallel.ReplicaRanks))
        );

    /// <summary>Leaves out what the preflight has refused, one host after the other as far as the job can do without.</summary>
    private ShapeChange LeaveOutRefused(Fault fault)
    {
        var said = new List<string>();
        bool isOther = false;
        foreach (string host in fault.Refused.Where(host => _hosts?.Contains(host) == true))
        {
            // What is gone may come back by itself, what computes wrongly does not.
            bool isRefused = fault.Kind == RankFailure.PreflightKind;
            _failing.Add(NameOf(host), least: isRefused ? _hostFaults : 1);
            var change = LeaveOut(host, isRefused ? "was refused by the preflight" : "is gone");
            isOther |= change.IsOther;
            HasGoneHosts |= change.IsOther && !isRefused;
            said.Add(change.Said ?? change.Refusal!);
        }
        return isOther
            ? new(string.Join("; ", said), IsOther: true)
            : new(Refusal: said.Count > 0 ? string.Join("; ", said) : "no host file says what to use instead (--hosts)");
    }

    private string NameOf(string host) => _hosts!.Names.First(name => Processes.HostFile.IsSame(name, host));

    private ShapeChange LeaveOut(string host, string? why = null)
    {
        var others = _hosts!.Without(host);
        int slots = others.SlotsOf(_share);
        string failed = $"host {host} {why ?? $"has failed {_failing[NameOf(host)]} times"}";
        if (slots < Ranks && !_isElastic)
            return new(
                $"{failed}, but the others have {slots} slots for {Ranks} ranks, so it is used again (add a host, or give --elastic)"
            );
        bool isRemembered = _failing[NameOf(host)] >= _hostFaults;
        string left =
            $"{failed} and is left out{(isRemembered ? $" (mended? take it out of {Path.Combine(_folder, FailingHosts.FileName)})" : "")}";
        var change = slots < Ranks ? Shrink(slots) : default;
        if (change.Refusal is not null)
            return change;
        _hosts = others;
        HostFile = Path.Combine(_folder, HostsFileName);
        Directory.CreateDirectory(_folder);
        others.Write(HostFile);
        return new(change.Said is null ? left : $"{left}; {change.Said}", IsOther: true);
    }

    /// <summary>Goes down to the largest layout of whole replicas that takes at most so many ranks and divides the batches.</summary>
    private ShapeChange Shrink(int ranks)
    {
        var parallel = _configuration.Parallel;
        int replica = parallel.ReplicaRanks;
        string? reason = null;
        for (int replicas = ranks / replica; replicas > 0; replicas--)
        {
            try
            {
                LayoutGate.CheckWorld(_configuration with { Parallel = parallel with { Data = replicas } }, replicas * replica);
                Ranks = replicas * replica;
                return new(
                    $"going on with {replicas} of {WholeRanks / replica} replicas ({Ranks} of {WholeRanks} ranks) at the same global batch",
                    IsOther: true
                );
            }
            catch (UserErrorException refusal)
            {
                reason ??= refusal.Message;
            }
        }
        reason ??=
            $"one replica (tensor {parallel.Tensor} × pipeline {parallel.Pipeline} × context {parallel.Context}) needs {replica} ranks, and {Math.Max(0, ranks)} are left";
        return new(Refusal: $"the layout cannot shrink: {reason}");
    }
}
