using Uniscale.Telemetry.Curves;

namespace Uniscale.Telemetry.Tests.Curves;

public sealed class LossCurveTests
{
    [Fact]
    public void A_falling_line_in_braille() =>
        Assert.Equal(
            """
              8.0000 ┤⠑⢄
                     ┤  ⠑⢄
              1.0000 ┤    ⠑⢄

            """.ReplaceLineEndings("\n"),
            LossCurve.Render([.. Enumerable.Range(0, 12).Select(i => 8 - (i * 7.0 / 11))], 16, 3)
        );

    [Fact]
    public void The_same_in_ascii() =>
        Assert.Equal(
            """
              3.0000 |*
                     | *
              1.0000 |  *

            """.ReplaceLineEndings("\n"),
            LossCurve.Render([3, 2, 1], 13, 3, CurveStyle.Ascii)
        );

    [Fact]
    public void A_steep_fall_stays_one_line() =>
        Assert.Equal(
            """
              9.0000 |**
                     |  *
                     |  *
              1.0000 |  **

            """.ReplaceLineEndings("\n"),
            LossCurve.Render([9, 9, 1, 1], 14, 4, CurveStyle.Ascii)
        );

    [Fact]
    public void Values_that_are_no_numbers_are_left_out()
    {
        Assert.Equal("", LossCurve.Render([], 40, 5));
        Assert.Equal("", LossCurve.Render([double.NaN], 40, 5));
        Assert.Equal(LossCurve.Render([3, 2, 1], 40, 5), LossCurve.Render([3, double.NaN, 2, double.PositiveInfinity, 1], 40, 5));
    }

    [Fact]
    public void Long_series_are_averaged_and_single_values_drawn()
    {
        Assert.Equal("█▆▃▁", LossCurve.Sparkline([.. Enumerable.Range(0, 1000).Select(i => 1000.0 - i)], 4));
        Assert.Contains("5.0000 ┤", LossCurve.Render([5], 20, 1));
    }

    [Fact]
    public void The_history_halves_when_full()
    {
        var history = new LossHistory(capacity: 4);
        foreach (double loss in new double[] { 8, 6, 4, 2, 1, 3, double.NaN })
            history.Add(loss);
        Assert.Equal([7, 3, 2], history.Points);
    }
}
