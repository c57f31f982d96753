import { render } from 'preact';
import { App } from './app';
import { apply } from './prefs';
import './styles/base.css';
import './styles/layout.css';
import './styles/parts.css';
import './styles/fields.css';
import './styles/tables.css';
import './styles/dialogs.css';
import './styles/views.css';
import 'uplot/dist/uPlot.min.css';

apply();
render(<App />, document.getElementById('app')!);
