// The parts of Apache ECharts that the pages draw with; a chunk of its own, loaded with the first chart.
import { LineChart, ScatterChart } from "echarts/charts";
import { GridComponent, LegendPlainComponent, TooltipComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { LabelLayout } from "echarts/features";
import { CanvasRenderer } from "echarts/renderers";

use([LineChart, ScatterChart, GridComponent, LegendPlainComponent, TooltipComponent, LabelLayout, CanvasRenderer]);

export { init };
