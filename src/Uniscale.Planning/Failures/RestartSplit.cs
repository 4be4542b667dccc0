namespace Uniscale.Planning.Failures;

/// <summary>Parts of a restart in the order in which they pass, or what they took in a run. Seconds.</summary>
/// <param name="Drain">Ending the ranks that are left, and swapping machines.</param>
/// <param name="Communicators">Starting ranks and making their communicators anew.</param>
/// <param name="Reload">Loading the last checkpoint.</param>
/// <param name="WarmUp">What the first steps take more.</param>
public readonly record struct RestartSplit(double Drain, double Communicators, double Reload, double WarmUp)
{
    /// <summary>The whole restart.</summary>
    public double Total => Drain + Communicators + Reload + WarmUp;

    /// <summary>What has passed of it after some seconds.</summary>
    public RestartSplit After(double seconds)
    {
        double drain = Passed(Drain),
            communicators = Passed(Communicators),
            reload = Passed(Reload);
        return new RestartSplit(drain, communicators, reload, Passed(WarmUp));

        double Passed(double part)
        {
            double passed = Math.Clamp(seconds, 0, part);
            seconds -= passed;
            return passed;
        }
    }

    /// <summary>Sum of both.</summary>
    public static RestartSplit operator +(RestartSplit a, RestartSplit b) =>
        new(a.Drain + b.Drain, a.Communicators + b.Communicators, a.Reload + b.Reload, a.WarmUp + b.WarmUp);

    /// <summary>A share of it.</summary>
    public static RestartSplit operator *(double share, RestartSplit a) =>
        new(share * a.Drain, share * a.Communicators, share * a.Reload, share * a.WarmUp);
}
