using System.Net;
using Uniscale.Dashboard.Reading;

namespace Uniscale.Dashboard.Safety;

/// <summary>What is served, and to whom.</summary>
public sealed record DashboardOptions
{
    /// <summary>The folder that holds the runs.</summary>
    public required string Folder { get; init; }

    /// <summary>Port; 0: one that is free.</summary>
    public int Port { get; init; } = 8686;

    /// <summary>Address to listen on; one that is not loopback's needs a token.</summary>
    public IPAddress Address { get; init; } = IPAddress.Loopback;

    /// <summary>What a viewer must show; null: nothing, on loopback alone.</summary>
    public string? Token { get; init; }

    /// <summary>Whether the page may ask runs to save and to stop.</summary>
    public bool AllowsRequests { get; init; }

    /// <summary>What is fed at a position of a run's curriculum; null: not shown.</summary>
    public ICurriculumText? Curriculum { get; init; }
}

/// <summary>Tells what a run is fed: a project that reads shards does, and the dashboard does not.</summary>
public interface ICurriculumText
{
    /// <summary>The step at a position, its sources and the beginnings of its sequences.</summary>
    /// <param name="run">Folder of the run.</param>
    /// <param name="tokens">Position, in tokens.</param>
    FedPosition At(string run, long tokens);
}
