using Uniscale.Configuration.Loading;

namespace Uniscale.Configuration;

/// <summary>What a failure says where one line is wanted: a terminal, a report of a rank, the reason that other ranks are given.</summary>
public static class FailureSentence
{
    /// <summary>
    /// The first line of the failure's message, secrets masked. libtorch puts its C++ stack behind it (<c>Exception raised from</c>,
    /// <c>frame #0</c>),
    /// which belongs in logs alone.
    /// </summary>
    public static string Of(Exception failure) => Secrets.Mask(failure.Message).Trim().Split('\n')[0].TrimEnd();
}
