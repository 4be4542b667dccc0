namespace Uniscale.Cli.Doctor;

/// <summary>One thing that was looked for.</summary>
/// <param name="Name">What it is.</param>
/// <param name="Found">Whether it is here (and enough, for sizes).</param>
/// <param name="Required">Whether training cannot do without it.</param>
/// <param name="Details">Version and place, or what is lost without it.</param>
/// <param name="Advice">What to install or do; null where nothing is wanting.</param>
internal sealed record Finding(string Name, bool Found, bool Required, string Details, string? Advice = null);
