using Uniscale.Collectives;
using Uniscale.Configuration;
using Uniscale.Launching.Processes;

namespace Uniscale.Launching.Ranks;

/// <summary>Runs this process as the rank that a launcher has made it.</summary>
public static class ProcessRank
{
    private const string ReportedKey = "uniscale.reported";

    /// <summary>True if the launcher knows of a failure and will say it, so that the rank need not.</summary>
    public static bool IsReported(Exception failure) => failure.Data.Contains(ReportedKey);

    /// <summary>
    /// Joins the job, runs the body and leaves. When it throws, all other ranks' collectives fail, the failure is written down where
    /// the launcher finds it, and the exception goes on.
    /// </summary>
    /// <param name="environment">The rank's place.</param>
    /// <param name="body">The rank.</param>
    /// <param name="devices">Where the ranks compute; null: on the host.</param>
    public static void Run(RankEnvironment environment, Action<IWorld> body, RankDevices? devices = null)
    {
        var reports = LaunchFolder.OfThisJob();
        reports?.SayJoining(environment.Rank);
        var before = SharedSegments.OfThisProcess();
        using var world = Reported(
            environment,
            reports,
            () => (devices ?? RankDevices.Host).Around(RankWorld.Join(environment), environment.LocalRank)
        );
        if (reports is not null)
            SharedSegments.Write(reports.FullPath, environment.Rank, SharedSegments.OfThisProcess().Except(before));
        Reported<object?>(
            environment,
            reports,
            () =>
            {
                body(world);
                return null;
            },
            failure => world.Abort(FailureSentence.Of(failure))
        );
    }

    private static RankFailure FailureOf(RankEnvironment environment, Exception failure)
    {
        var refused = failure as NodeRefusedException;
        return new(
            environment.Rank,
            environment.Host,
            DateTimeOffset.UtcNow,
            refused is null ? failure.GetType().Name : RankFailure.PreflightKind,
            FailureSentence.Of(failure),
            failure is UserErrorException
        )
        {
            Refused = refused?.Hosts ?? [],
        };
    }

    private static T Reported<T>(RankEnvironment environment, LaunchFolder? reports, Func<T> body, Action<Exception>? abort = null)
    {
        try
        {
            return body();
        }
        catch (Exception failure) when (Note(failure))
        {
            throw;
        }

        bool Note(Exception failure)
        {
            if (reports is not null)
            {
                bool isWritten = reports.Write(FailureOf(environment, failure));
                if (isWritten)
                    failure.Data[ReportedKey] = true;
            }
            abort?.Invoke(failure);
            return false;
        }
    }
}
