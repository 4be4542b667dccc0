using System.Globalization;
using System.Text;
using Uniscale.Checkpoints.Saving;
using Uniscale.Collectives;
using Uniscale.Configuration;
using Uniscale.Launching.Ownership;

namespace Uniscale.Training.Runs;

/// <summary>
/// Clocks of the hosts of a job. What decides anything counts beats and not seconds of another host; but who reads logs, journals and
/// traces of several hosts, and object stores that look at the time of a request, rely on them.
/// </summary>
internal static class ClockAgreement
{
    /// <summary>Clocks may be apart by as much as an owner that is gone is waited for.</summary>
    private static TimeSpan Limit => DirectoryLock.StandstillTime;

    /// <summary>Compares the clocks of all ranks. Collective; all ranks throw alike.</summary>
    /// <param name="world">All ranks.</param>
    /// <param name="host">Host of this one.</param>
    /// <param name="clock">Its clock.</param>
    /// <exception cref="UserErrorException">Two are further apart than the limit; it names the hosts.</exception>
    public static void Check(IWorld world, string host, TimeProvider clock)
    {
        world.HostGroup.Barrier().Wait();
        byte[] mine = BitConverter.GetBytes(clock.GetUtcNow().Ticks);
        long[] ticks = [.. GroupExchange.AllGather(world.HostGroup, mine).Select(bytes => BitConverter.ToInt64(bytes))];
        if (ticks.Max() - ticks.Min() <= Limit.Ticks)
            return;
        string[] hosts = [.. GroupExchange.AllGather(world.HostGroup, Encoding.UTF8.GetBytes(host)).Select(Encoding.UTF8.GetString)];
        throw new UserErrorException(Sentence(hosts, ticks));
    }

    // Most clocks are right: the others are told against the median.
    private static string Sentence(string[] hosts, long[] ticks)
    {
        long median = ticks.Order().ElementAt(ticks.Length / 2);
        var wrong = hosts
            .Zip(ticks, (host, own) => (Host: host, Seconds: (own - median) / (double)TimeSpan.TicksPerSecond))
            .DistinctBy(clock => clock.Host)
            .OrderByDescending(clock => Math.Abs(clock.Seconds))
            .Where(clock => Math.Abs(clock.Seconds) > Limit.TotalSeconds / 2)
            .Select(clock =>
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{clock.Host} is {Math.Abs(clock.Seconds):N0} s {(clock.Seconds > 0 ? "ahead" : "behind")}"
                )
            );
        return string.Create(
            CultureInfo.InvariantCulture,
            $"The clocks of the hosts are more than {Limit.TotalSeconds:0} s apart: {string.Join(", ", wrong)}. Set them (chronyd or ntpd keeps them right) and start again."
        );
    }
}
