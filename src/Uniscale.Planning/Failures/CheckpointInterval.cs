namespace Uniscale.Planning.Failures;

/// <summary>
/// Best time between saves by formula. δ: seconds that a save costs, M: mean time between failures, R: seconds of a recovery.
/// </summary>
public static class CheckpointInterval
{
    /// <summary>√(2 δ M), Young, 1974.</summary>
    public static double Young(double save, double mtbf) => Math.Sqrt(2 * save * mtbf);

    /// <summary>√(2 δ M) (1 + ⅓ √(δ/2M) + δ/18M) − δ where δ is below 2M, else M; Daly, 2006.</summary>
    public static double Daly(double save, double mtbf)
    {
        if (save >= 2 * mtbf)
            return mtbf;
        double ratio = save / (2 * mtbf);
        return Math.Sqrt(2 * save * mtbf) * (1 + Math.Sqrt(ratio) / 3 + ratio / 9) - save;
    }

    /// <summary>δ + √(2 (M + R) δ + δ²): the availability's optimum (arXiv 2410.18124).</summary>
    public static double Availability(double save, double mtbf, double recovery) =>
        save + Math.Sqrt(2 * (mtbf + recovery) * save + save * save);

    /// <summary>
    /// Expected seconds to finish work under exponential failures, which may also strike saves and recoveries:
    /// M e^(R/M) (e^((τ + δ)/M) − 1) · W/τ (Daly, 2006, equation 13).
    /// </summary>
    /// <param name="work">Seconds of work, W.</param>
    /// <param name="interval">Seconds of work between saves, τ.</param>
    /// <param name="save">δ.</param>
    /// <param name="mtbf">M.</param>
    /// <param name="recovery">R.</param>
    public static double ExpectedSeconds(double work, double interval, double save, double mtbf, double recovery) =>
        mtbf * Math.Exp(recovery / mtbf) * (Math.Exp((interval + save) / mtbf) - 1) * work / interval;
}
